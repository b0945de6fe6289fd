// The exported model in the page: all its latents move, and samples are drawn. Where it does not run, the frames stay.

import { Painter } from "./draw.js";
import { compiled, latest, start } from "./model.js";

const COUNT = 8; // samples in a row

const find = (id) => document.getElementById(id);
const read = (id) => JSON.parse(find(id).textContent);

function make(name, attributes, owner, space = "http://www.w3.org/1999/xhtml") {
  const element = document.createElementNS(space, name);
  for (const [key, value] of Object.entries(attributes)) element.setAttribute(key, value);
  owner.append(element);
  return element;
}

/** The bytes of a block of the page: base64 of gzip. */
async function unpacked(id) {
  const bytes = Uint8Array.from(atob(find(id).textContent), (letter) => letter.charCodeAt(0));
  const stream = new Blob([bytes]).stream().pipeThrough(new DecompressionStream("gzip"));
  return new Response(stream).arrayBuffer();
}

async function loaded() {
  if (typeof WebAssembly !== "object") throw new Error("it has no WebAssembly");
  await start(async () => {
    globalThis.Module.wasmBinary = new Uint8Array(await unpacked("litert"));
    return "in the page.js"; // where LiteRT.js takes an address for that of its script, which has run already
  });
  const model = await compiled("the model", find("sidecar").textContent, await unpacked("model"));
  if (model.latentIsFixed) throw new Error(model.latentIsFixed);
  return model;
}

/** What shows an example in an element: a function of its values. `frames` says how, as it does for those made beforehand. */
const views = {
  sprite(owner, frames, shape) {
    const painter = new Painter(shape);
    const { width, height } = painter;
    const context = make("canvas", { width, height, "aria-hidden": "true" }, owner).getContext("2d");
    return (x) => painter.draw(context, x, frames.range, 0, 0);
  },
  lines(owner, { range, size, colours, times }) {
    const space = "http://www.w3.org/2000/svg";
    const box = make("svg", { viewBox: `0 0 ${size.join(" ")}`, "aria-hidden": "true" }, owner, space);
    const [low, high] = range;
    const lines = low.map((_, channel) => make("polyline", { stroke: colours[channel % colours.length] }, box, space));
    const place = (x, channel) => (time, i) => {
      const value = x[time * low.length + channel];
      const share = (value - low[channel]) / Math.max(high[channel] - low[channel], 1e-12);
      const [across, down] = [(size[0] * i) / (times.length - 1), size[1] * (1 - Math.min(Math.max(share, 0), 1))];
      return `${across.toFixed(0)},${down.toFixed(1)}`;
    };
    return (x) => lines.forEach((line, channel) => line.setAttribute("points", times.map(place(x, channel)).join(" ")));
  },
};

class Live {
  constructor(model) {
    this.model = model;
    this.told = read("told"); // the held-out example to start from, and what else is not the file's
    this.frames = read("frames");
    this.first = 0; // number of the first sample of the row
    this.samples = []; // what the row shows: { z, label }
    this.view = Object.keys(views).find((name) => name in this.frames);
    this.show = this.#viewIn(find("moved"));
    this.sliders = this.told.order.map((latent) => this.#slider(latent));
    this.row = Array.from({ length: COUNT }, (_, k) => this.#sample(k));
    this.decode = latest(() => during("moved", () => this.#decode()));
    this.draw = latest(() => during("row", () => this.#draw()));
    on("others", "click", () => this.drawFrom(this.first + COUNT));
    on("back", "click", () => this.startAt(this.told.start, this.told.label));
    on("class", "change", () => Promise.all([this.move(), this.drawFrom(this.first)]));
  }

  async begin() {
    await this.drawFrom(0);
    await this.startAt(this.told.start, this.told.label);
  }

  /** Puts the sliders at a latent. */
  startAt(z, label) {
    this.z = Float32Array.from(z);
    this.label = label;
    for (const { latent, input } of this.sliders) {
      const reach = Math.max(3, Math.ceil(Math.abs(this.z[latent])));
      [input.min, input.max] = [-reach, reach];
      input.value = this.z[latent];
    }
    return this.move();
  }

  /** Shows what the model makes of the latent. */
  move() {
    for (const { latent, output } of this.sliders) output.textContent = this.z[latent].toFixed(2).replace("-", "−");
    return this.decode();
  }

  /** Fills the row with samples of the run's seed. */
  drawFrom(first) {
    this.first = first;
    return this.draw();
  }

  /** The class that was chosen, or null for each in turn. */
  get chosen() {
    const value = find("class")?.value;
    return value ? Number(value) : null;
  }

  async #decode() {
    const labels = [this.chosen ?? this.label];
    for await (const { x } of this.model.decoded([this.z], labels)) this.show(x);
  }

  async #draw() {
    const { first, chosen } = this;
    const { seed, classes } = this.told;
    const labels = this.row.map((_, k) => chosen ?? (first + k) % Math.max(classes, 1));
    for await (const { k, x, z } of this.model.samples(seed, first, labels)) {
      this.samples[k] = { z, label: labels[k] };
      this.row[k].show(x);
      this.row[k].button.setAttribute("aria-label", `Start from sample ${first + k + 1}`);
    }
    find("drawn").textContent = `Samples ${first + 1} to ${first + COUNT} of seed ${seed}. Press one to start from it.`;
  }

  #viewIn(owner) {
    return views[this.view](owner, this.frames, this.model.metadata.event_shape);
  }

  #slider(latent) {
    const label = make("label", {}, find("latents"));
    const words = make("span", {}, label);
    words.textContent = `z${latent}: `;
    const output = make("output", {}, words);
    const input = make("input", { type: "range", step: "any", "data-latent": latent }, label);
    listen(input, "input", () => {
      this.z[latent] = input.valueAsNumber;
      return this.move();
    });
    return { latent, input, output };
  }

  #sample(k) {
    const button = make("button", { type: "button" }, find("row"));
    listen(button, "click", () => this.startAt(this.samples[k].z, this.samples[k].label));
    return { button, show: this.#viewIn(button) };
  }
}

/** Marks an element as busy while `act` runs. */
async function during(id, act) {
  find(id).setAttribute("aria-busy", "true");
  await act();
  find(id).setAttribute("aria-busy", "false");
}

function listen(element, event, act) {
  element?.addEventListener(event, () => act().catch(tell));
}

function on(id, event, act) {
  listen(find(id), event, act);
}

/** Leaves the frames where they are, and says why. */
function tell(error) {
  console.warn(error);
  find("live").hidden = true;
  find("slider").hidden = false;
  find("stopped").textContent = `The model itself does not run in this browser: ${error?.message ?? error}`;
  find("stopped").hidden = false;
}

loaded()
  .then((model) => new Live(model).begin())
  .then(() => {
    find("slider").hidden = true;
    find("live").hidden = false;
  })
  .catch(tell);
