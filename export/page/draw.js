// Examples on canvases: pictures pixel by pixel, anything else as bars.

const COLUMNS = 4;
const SAVED_SIDE = 640; // pixels a small grid is enlarged to, about
const BAR_CELL = { width: 160, height: 120 };

/** How one example is drawn, by the event's shape. */
export class Painter {
  constructor(shape) {
    this.colours = shape.length === 3 ? shape[2] : 1;
    this.isImage = shape.length === 2 || (shape.length === 3 && (shape[2] === 1 || shape[2] === 3));
    [this.height, this.width] = this.isImage ? shape : [BAR_CELL.height, BAR_CELL.width];
  }

  /** Draws values of `range` at a place of a canvas. */
  draw(context, values, range, left, top) {
    if (this.isImage) context.putImageData(this.#pixels(values, range), left, top);
    else this.#bars(context, values, range, left, top);
  }

  #pixels(values, [low, high]) {
    const image = new ImageData(this.width, this.height);
    const scale = 255 / Math.max(high - low, 1e-12);
    for (let i = 0; i < this.width * this.height; i++) {
      for (let c = 0; c < 3; c++) {
        const value = values[this.colours === 3 ? 3 * i + c : i];
        image.data[4 * i + c] = Math.round(Math.min(Math.max((value - low) * scale, 0), 255));
      }
      image.data[4 * i + 3] = 255;
    }
    return image;
  }

  #bars(context, values, [low, high], left, top) {
    const [bottom, ceiling] = [Math.min(low, 0), Math.max(high, 0)];
    const place = (value) => top + this.height * (1 - (Math.min(Math.max(value, bottom), ceiling) - bottom) / Math.max(ceiling - bottom, 1e-12));
    const style = getComputedStyle(context.canvas);
    context.clearRect(left, top, this.width, this.height);
    context.fillStyle = style.getPropertyValue("--cell");
    context.fillRect(left, top, this.width, this.height);
    context.fillStyle = style.getPropertyValue("--accent");
    const step = this.width / values.length;
    const width = Math.max(step - (step > 4 ? 2 : 0), 0.5);
    values.forEach((value, i) => {
      const y = place(value);
      context.fillRect(left + i * step + (step - width) / 2, Math.min(y, place(0)), width, Math.max(Math.abs(y - place(0)), 0.5));
    });
    context.fillStyle = style.getPropertyValue("--line");
    context.fillRect(left, place(0), this.width, 1);
  }
}

/** Cells on one canvas, sized in whole device pixels where there is room. */
export class Sheet {
  constructor(canvas, painter, range, count) {
    Object.assign(this, { canvas, painter, fixedRange: range, cells: Array(count).fill(null) });
    this.columns = Math.min(COLUMNS, count);
    this.gap = count === 1 ? 0 : Math.max(1, Math.round(painter.width / 16));
    canvas.width = this.columns * (painter.width + this.gap) - this.gap;
    canvas.height = Math.ceil(count / this.columns) * (painter.height + this.gap) - this.gap;
    this.range = range ?? [0, 1];
    this.context = canvas.getContext("2d", { willReadFrequently: true });
    new ResizeObserver(() => this.#fit()).observe(canvas.parentElement);
    matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => this.redraw());
  }

  /** Shows an example in cell k. `range` overrides that of the values shown, where the data have none of their own. */
  put(k, values, range = null) {
    this.cells[k] = values;
    const next = this.fixedRange ?? range ?? this.#spread();
    const same = next[0] === this.range[0] && next[1] === this.range[1];
    this.range = next;
    if (same) this.#drawCell(k);
    else this.redraw();
  }

  redraw() {
    this.cells.forEach((values, k) => values && this.#drawCell(k));
  }

  /** The number of the cell at a mouse event, or null. */
  cellAt(event) {
    const box = this.canvas.getBoundingClientRect();
    const column = Math.floor(((event.clientX - box.left) / box.width) * this.columns);
    const row = Math.floor(((event.clientY - box.top) / box.height) * Math.ceil(this.cells.length / this.columns));
    const k = row * this.columns + column;
    return k >= 0 && k < this.cells.length ? k : null;
  }

  /** The sheet as a PNG, a small one enlarged by a whole factor. */
  toPng() {
    const factor = Math.max(1, Math.floor(SAVED_SIDE / Math.max(this.canvas.width, this.canvas.height)));
    const margin = this.gap * factor;
    const copy = document.createElement("canvas");
    copy.width = this.canvas.width * factor + 2 * margin;
    copy.height = this.canvas.height * factor + 2 * margin;
    const context = copy.getContext("2d");
    context.fillStyle = getComputedStyle(this.canvas).getPropertyValue("--paper");
    context.fillRect(0, 0, copy.width, copy.height);
    context.imageSmoothingEnabled = false;
    context.drawImage(this.canvas, margin, margin, this.canvas.width * factor, this.canvas.height * factor);
    return new Promise((resolve, reject) => {
      copy.toBlob((blob) => (blob ? resolve(blob) : reject(new Error("The browser could not write a PNG."))), "image/png");
    });
  }

  #spread() {
    let [low, high] = [Infinity, -Infinity];
    for (const cell of this.cells) {
      for (const value of cell ?? []) [low, high] = [Math.min(low, value), Math.max(high, value)];
    }
    return [low, high];
  }

  #drawCell(k) {
    const left = (k % this.columns) * (this.painter.width + this.gap);
    const top = Math.floor(k / this.columns) * (this.painter.height + this.gap);
    this.painter.draw(this.context, this.cells[k], this.range, left, top);
  }

  #fit() {
    const room = this.canvas.parentElement.clientWidth;
    const ratio = window.devicePixelRatio || 1;
    const factor = Math.floor((room * ratio) / this.canvas.width);
    const sharp = this.painter.isImage && factor >= 1;
    this.canvas.style.width = sharp ? `${(factor * this.canvas.width) / ratio}px` : "100%";
    this.canvas.style.imageRendering = sharp ? "pixelated" : "auto";
  }
}
