// Two sliders move one latent, one where it has one number, and the decoder follows.

import { Sheet } from "./draw.js";
import { latest } from "./model.js";

const RANKED_UP_TO = 256; // latent dimensions tried for their effect
const STEP = 2; // how far each is moved for that
const ACTIVE = 0.01; // least effect, as a share of the largest, of a dimension that is called active

const find = (id) => document.getElementById(id);

export class Explorer {
  /** `page` gives the pictures of the grid; its sheet, their range of values. */
  constructor(model, page) {
    this.model = model;
    this.page = page;
    this.sheet = new Sheet(find("preview"), page.painter, page.model.metadata.value_range, 1);
    this.axes = [0, 1].slice(0, model.latentSize); // the dimension at each slider
    find("axis-1").hidden = this.axes.length < 2;
    this.base = 0;
    this.decode = latest(() => this.#decode()); // of many z asked for meanwhile, the last
    this.ranked = false;
    this.#listen();
  }

  /** Starts again at picture k of the grid. */
  startAt(k) {
    if (k === null) return;
    this.base = k;
    find("base").value = String(k);
    this.#reset();
  }

  /** The grid shows other pictures. */
  follow() {
    if (find("base").options.length === 0) {
      find("base").append(...this.page.pictures.map((_, k) => new Option(`Number ${k + 1}`, k)));
      this.#offerDimensions(this.#inOrder());
    }
    this.#reset();
    if (!this.ranked && this.model.latentSize <= RANKED_UP_TO) {
      this.ranked = true;
      this.#rank().catch((error) => console.error(error));
    }
  }

  #listen() {
    find("base").addEventListener("change", () => this.startAt(Number(find("base").value)));
    for (const axis of this.axes.keys()) {
      find(`slider-${axis}`).addEventListener("input", () => {
        this.z[this.axes[axis]] = find(`slider-${axis}`).valueAsNumber;
        this.#show();
      });
      find(`dimension-${axis}`).addEventListener("change", (event) => {
        const dimension = Number(event.target.value);
        if (dimension === this.axes[1 - axis]) this.axes[1 - axis] = this.axes[axis]; // the two swap
        this.axes[axis] = dimension;
        this.#show();
      });
    }
  }

  #reset() {
    this.z = Float32Array.from(this.page.pictures[this.base].z);
    const reach = this.page.pictures.reduce((most, { z }) => z.reduce((m, v) => Math.max(m, Math.abs(v)), most), 3);
    for (const axis of this.axes.keys()) {
      find(`slider-${axis}`).min = -Math.ceil(reach);
      find(`slider-${axis}`).max = Math.ceil(reach);
    }
    this.#show();
  }

  /** Shows z and its picture. */
  async #show() {
    for (const axis of this.axes.keys()) {
      const value = this.z[this.axes[axis]];
      find(`dimension-${axis}`).value = String(this.axes[axis]);
      find(`slider-${axis}`).value = String(value);
      find(`value-${axis}`).textContent = value.toFixed(2).replace("-", "−");
    }
    try {
      await this.decode();
    } catch (error) {
      console.error(error);
      find("explore-note").textContent = `The picture could not be decoded: ${error.message}`;
    }
  }

  async #decode() {
    const { label } = this.page.pictures[this.base];
    for await (const { x } of this.model.decoded([this.z], [label])) this.sheet.put(0, x, this.page.sheet.range);
  }

  /** Finds what each dimension does to the picture, offers the strongest first, and starts with two of them. */
  async #rank() {
    const { z, label } = this.page.pictures[this.base];
    const moved = [];
    for (let d = 0; d < z.length; d++) {
      for (const step of [-STEP, STEP]) {
        moved.push(Float32Array.from(z, (value, i) => (i === d ? value + step : value)));
      }
    }
    const effects = Array(z.length).fill(0);
    let low = null;
    for await (const { k, x } of this.model.decoded(moved, moved.map(() => label), true)) {
      if (k % 2 === 0) low = x;
      else effects[(k - 1) / 2] = Math.sqrt(x.reduce((sum, value, i) => sum + (value - low[i]) ** 2, 0));
      if (k % 16 === 15) await new Promise((resolve) => requestAnimationFrame(resolve));
    }
    const most = Math.max(...effects);
    const order = this.#inOrder().sort((a, b) => effects[b] - effects[a]);
    this.#offerDimensions(order, (d) => effects[d] >= ACTIVE * most);
    this.axes = order.slice(0, this.axes.length);
    find("explore-note").textContent = "Strongest dimensions first; those in brackets hardly change the picture.";
    this.#show();
  }

  #inOrder() {
    return [...Array(this.model.latentSize).keys()];
  }

  #offerDimensions(order, active = () => true) {
    for (const axis of this.axes.keys()) {
      find(`dimension-${axis}`).replaceChildren(...order.map((d) => new Option(active(d) ? `z[${d}]` : `(z[${d}])`, d)));
    }
  }
}
