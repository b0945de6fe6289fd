// $file on a page: samples of a seed, and latents decoded. Written by tfvae $version.
// x is $event_words. README.md in this folder says how to build it in.

/** How many x a call gives. */
export const BATCH = $batch;

/** Values in one x, of the shape $event_shape. */
export const EVENT = $event_size;

/** Random numbers of one sample. */
export const LATENTS = $latents;

/** The shapes of the inputs of every signature, and the names of its outputs. */
export const SIGNATURES = {
  $outputs
};

let runtime = null; // of the page

/** The model on the CPU. Keep one; its calls run one after the other. */
export class $name {
  #litert;
  #compiled;
  #last = Promise.resolve();

  constructor(litert, compiled) {
    this.#litert = litert;
    this.#compiled = compiled;
  }

  /** Loads the file. `wasm` is the address of the folder `wasm/` of @litertjs/core, which you serve. */
  static async load(wasm, file = new URL("./$file", import.meta.url).href) {
    const litert = await import("@litertjs/core");
    runtime ??= litert.loadLiteRt(wasm);
    await runtime;
    return new $name(litert, await litert.loadAndCompile(file, { accelerator: "wasm" }));
  }

  /**
   * Samples index ... index + BATCH - 1 of a seed, the same on every device.
   * Gives BATCH * EVENT values, one x after the other, each row by row.
   */
  async sample(seed, index$y_parameter) {
    check(Number.isInteger(seed) && seed >= -(2 ** 31) && seed < 2 ** 32, "seed from -2^31 to 2^32 - 1");
    check(Number.isInteger(index) && index >= 0 && (index + BATCH) * LATENTS <= 2 ** 32, "index from 0, within the stream of the seed");
${y_check}    return (await this.run("sample", { seed: [seed], index: [index]$y_input })).x;
  }

  /** The mean of p(x given z) at BATCH latents: BATCH * EVENT values. */
  async decode($z_parameters$y_parameter) {
${z_check}${y_check}    return (await this.run("decode", { $z_inputs$y_input })).x;
  }

  /** Runs any signature: inputs by name, arrays of numbers, to outputs by name, each a Float32Array. */
  run(signature, inputs) {
    const result = this.#last.then(() => this.#run(signature, inputs));
    this.#last = result.catch(() => {});
    return result;
  }

  async #run(signature, inputs) {
    const ports = SIGNATURES[signature];
    check(ports, "a signature of " + Object.keys(SIGNATURES).join(", "));
    const given = {};
    let outputs = {};
    try {
      for (const [port, { kind, shape }] of Object.entries(ports.inputs)) {
        given[port] = new this.#litert.Tensor(kind.from(inputs[port]), shape);
      }
      outputs = await this.#compiled.signatures[signature].run(given);
      return Object.fromEntries(ports.outputs.map((port) => [port, outputs[port].toTypedArray().slice()]));
    } finally {
      for (const tensor of [...Object.values(given), ...Object.values(outputs)]) tensor.delete();
    }
  }
}
$picture
function check(holds, expected) {
  if (!holds) throw new RangeError("$name: expected " + expected + ".");
}
