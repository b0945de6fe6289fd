// The page: what the controls do.

import { Painter, Sheet } from "./draw.js";
import { Explorer } from "./explore.js";
import { open } from "./model.js";

const COUNT = 16;
const SLICE = 12; // milliseconds of work between two frames

const find = (id) => document.getElementById(id);
const nextFrame = () => new Promise((resolve) => requestAnimationFrame(resolve));

class Page {
  constructor(model) {
    this.model = model;
    this.first = 0;
    this.chosen = null; // a label, or null for one of each
    this.turn = 0;
    this.pictures = []; // what the grid shows: { x, z, label }
    const { event_shape: shape, value_range: range } = model.metadata;
    this.painter = new Painter(shape);
    this.sheet = new Sheet(find("grid"), this.painter, range, COUNT);
    this.explorer = model.latentIsFixed ? null : new Explorer(model, this);
  }

  start() {
    this.#listen();
    this.#offerLabels();
    this.#offerLatent();
    describe(this.model);
    find("controls").disabled = false;
    return this.paint();
  }

  get seed() {
    return find("seed").valueAsNumber;
  }

  get temperature() {
    return find("temperature").valueAsNumber;
  }

  /** The labels of the pictures shown; zeros for a model that has none. */
  get labels() {
    const classes = this.model.metadata.num_classes;
    const label = find("label-number").hidden ? this.chosen : find("label").valueAsNumber;
    return Array.from({ length: COUNT }, (_, k) => label ?? (classes ? (this.first + k) % classes : 0));
  }

  /** Draws the grid, a few pictures a frame. A later call takes over from this one. */
  async paint() {
    const turn = ++this.turn;
    const started = performance.now();
    const [seed, labels, temperature] = [this.seed, this.labels, this.temperature];
    this.sheet.canvas.setAttribute("aria-busy", "true");
    // Where the data have no range of their own, the pictures at temperature 1 give it.
    const scale = temperature === 1 ? null : this.sheet.range;
    let frame = started;
    for await (const { k, x, z } of this.#pictures(seed, labels, temperature)) {
      if (turn !== this.turn) return;
      this.pictures[k] = { x, z, label: labels[k] };
      this.sheet.put(k, x, scale);
      if (performance.now() - frame > SLICE) {
        await nextFrame();
        if (turn !== this.turn) return;
        frame = performance.now();
      }
    }
    this.sheet.canvas.setAttribute("aria-busy", "false");
    const shown = `${this.first + 1}–${this.first + COUNT}`;
    this.sheet.canvas.setAttribute("aria-label", `Samples ${shown} of seed ${seed}`);
    say(`Samples ${shown} of seed ${seed}, in ${Math.max(1, Math.round(performance.now() - started))} ms`);
    this.explorer?.follow();
  }

  /** At temperature 1 the file's own samples, as on every platform; else the decoder at z times the temperature. */
  async *#pictures(seed, labels, temperature) {
    if (temperature === 1) {
      yield* this.model.samples(seed, this.first, labels);
      return;
    }
    for await (const { k, z } of this.model.samples(seed, this.first, labels)) {
      const scaled = z.map((value) => value * temperature);
      for await (const { x } of this.model.decoded([scaled], [labels[k]])) yield { k, x, z: scaled };
    }
  }

  #listen() {
    const moved = (event) => {
      if (!event.target.reportValidity()) return;
      this.#go(0);
    };
    find("seed").addEventListener("change", moved);
    find("label").addEventListener("change", moved);
    find("next").addEventListener("click", () => this.#go(this.first + COUNT));
    find("previous").addEventListener("click", () => this.#go(this.first - COUNT));
    find("temperature").addEventListener("input", () => {
      find("temperature-value").textContent = this.temperature.toFixed(2);
      this.repaint();
    });
    find("download").addEventListener("click", () => this.#download().catch(fail));
    find("grid").addEventListener("click", (event) => this.explorer?.startAt(this.sheet.cellAt(event)));
  }

  repaint() {
    this.paint().catch(fail);
  }

  #go(first) {
    if (!find("seed").checkValidity() || (this.model.conditional && !find("label").checkValidity())) return;
    this.first = first;
    find("previous").disabled = first < COUNT;
    find("next").disabled = (first + 2 * COUNT) * this.model.numbersPerSample > 2 ** 32;
    this.repaint();
  }

  async #download() {
    const link = document.createElement("a");
    link.href = URL.createObjectURL(await this.sheet.toPng());
    link.download = `samples-${this.seed}-${this.first}.png`;
    link.click();
    setTimeout(() => URL.revokeObjectURL(link.href), 10000);
    say(`Saved ${link.download}`);
  }

  #offerLabels() {
    if (!this.model.conditional) return;
    const classes = this.model.metadata.num_classes;
    const buttons = find("label-buttons");
    find("label-choice").hidden = false;
    find("label-number").hidden = Boolean(classes);
    buttons.hidden = !classes;
    for (const label of classes ? [null, ...Array(classes).keys()] : []) {
      const button = document.createElement("button");
      button.type = "button";
      button.textContent = label ?? "All";
      button.ariaLabel = label === null ? "All labels in turn" : `Label ${label}`;
      button.ariaPressed = String(label === this.chosen);
      button.addEventListener("click", () => {
        this.chosen = label;
        for (const other of buttons.children) other.ariaPressed = String(other === button);
        this.repaint();
      });
      buttons.append(button);
    }
  }

  #offerLatent() {
    const reason = this.model.latentIsFixed;
    find("temperature-choice").hidden = Boolean(reason);
    find("explore").hidden = Boolean(reason);
    if (!this.explorer) {
      find("temperature-note").textContent = `${reason}: no temperature, and no sliders.`;
      return;
    }
    find("temperature-note").textContent =
      "At 1, a seed gives the same pictures here as on every other device. At any other temperature, z is multiplied by it and decoded.";
    find("grid").dataset.pick = "";
  }
}

function describe(model) {
  const { metadata } = model;
  const size = metadata.event_shape.join(" × ");
  const facts = {
    "One sample": `${size} numbers${new Painter(metadata.event_shape).isImage ? "" : ": no picture, drawn as bars"}`,
    Latent: metadata.latent_sizes.join(" + ") + " numbers",
    Prior: metadata.prior,
    Likelihood: metadata.likelihood,
    File: `${Math.round(model.bytes / 1000).toLocaleString("en")} kB, ${metadata.quantization ?? "float32"}`,
    "SHA-256": metadata.sha256,
    Written: `tfvae ${metadata.package_version}`,
  };
  for (const [name, text] of Object.entries(facts)) {
    const [term, value] = [document.createElement("dt"), document.createElement("dd")];
    term.textContent = name;
    value.textContent = text;
    find("facts").append(term, value);
  }
}

function say(text) {
  find("status").textContent = text;
}

function fail(error) {
  console.error(error);
  window.tellProblem(error?.message ?? String(error));
}

if (typeof WebAssembly === "object") {
  try {
    await new Page(await open("model")).start();
  } catch (error) {
    fail(error);
  }
}
