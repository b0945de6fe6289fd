// The model: a .tflite file and its sidecar, run by LiteRT.js on the CPU.
// Knows signatures, batches and tensors; nothing of the page.

import { Tensor, loadAndCompile, loadLiteRt, supportsFeature } from "@litertjs/core";

import { parse } from "./sidecar.js";

/** Loads `NAME.tflite` and `NAME.json`, and checks that they belong together. */
export async function open(name) {
  const [metadata, file] = await Promise.all([
    load(`${name}.json`).then((response) => response.text()),
    load(`${name}.tflite`).then((response) => response.arrayBuffer()),
    start(runtime),
  ]);
  return compiled(name, metadata, file);
}

/** Starts LiteRT.js from the address that `find` gives. */
export async function start(find) {
  globalThis.Module = { printErr: logNative }; // read by LiteRT.js as it starts
  await loadLiteRt(await find());
}

/** The model of a sidecar's text and a file's bytes, once LiteRT.js has started. */
export async function compiled(name, metadata, file) {
  const described = parse(name, metadata);
  await checkHash(name, file, described.sha256);
  const loaded = await loadAndCompile(new Uint8Array(file), { accelerator: "wasm" });
  const model = new Model(described, loaded, file.byteLength);
  model.check(name);
  return model;
}

/** A function that calls `act`, or again when the call under way has ended: however often it was asked meanwhile, once. */
export function latest(act) {
  let [stale, running] = [false, false];
  return async () => {
    stale = true;
    if (running) return;
    running = true;
    try {
      while (stale) {
        stale = false;
        await act();
      }
    } finally {
      running = false;
    }
  };
}

/** The address that LiteRT.js starts from. Files of another server are loaded by their hashes, and started from here. */
async function runtime() {
  const folder = new URL("../wasm/", import.meta.resolve("@litertjs/core")).href;
  const { integrity } = JSON.parse(document.querySelector('script[type="importmap"]').textContent);
  if (!integrity) return folder;
  const kind = (await supportsFeature("relaxedSimd")) ? "" : "compat_";
  const [script, binary] = await Promise.all(
    ["js", "wasm"].map(async (end) => {
      const address = `${folder}litert_wasm_${kind}internal.${end}`;
      return (await load(address, { integrity: integrity[address] })).arrayBuffer();
    }),
  );
  globalThis.Module.wasmBinary = new Uint8Array(binary);
  // LiteRT.js takes an address for that of a script if it ends in .js, as this one does by its fragment.
  return `${URL.createObjectURL(new Blob([script], { type: "text/javascript" }))}#.js`;
}

export class Model {
  #compiled;
  #last = Promise.resolve(); // one run at a time

  constructor(metadata, compiled, bytes) {
    this.metadata = metadata;
    this.bytes = bytes;
    this.#compiled = compiled;
    this.batchSizes = [...metadata.batch_sizes].sort((a, b) => a - b);
    this.conditional = metadata.condition_shape !== null;
    const outputs = "sample" in compiled.signatures ? this.#shapes("sample", "output") : [];
    this.latents = outputs.filter((port) => /^z(_\d+)?$/.test(port.name));
    this.eventSize = metadata.event_shape.reduce((a, b) => a * b, 1);
    this.numbersPerSample = metadata.latent_sizes.reduce((a, b) => a + b, 0);
  }

  /** Refuses a sidecar of which the signatures or shapes are not the file's. */
  check(name) {
    const { event_shape: event, latent_sizes: sizes, batch_sizes: batches } = this.metadata;
    for (const batch of batches) {
      for (const signature of [this.#name("sample", batch), this.#name("decode", batch)]) {
        const x = signature in this.#compiled.signatures && this.#shapes(signature, "output").find((port) => port.name === "x");
        if (!x || String(x.shape) !== String([batch, ...event])) {
          const found = x ? `gives x of shape ${x.shape.join(" × ")}` : "is not in the file";
          throw new Error(`${name}.json is not the sidecar of ${name}.tflite: ${signature} ${found}. Copy both again, together.`);
        }
      }
    }
    if (String(this.latents.map((port) => port.shape[1]).sort()) !== String([...sizes].sort())) {
      throw new Error(`${name}.json is not the sidecar of ${name}.tflite: its latent has other sizes. Copy both again, together.`);
    }
  }

  /** Why z may not be moved by hand, or null where it may. */
  get latentIsFixed() {
    if (this.latents.length !== 1 || this.metadata.latent_sizes.length > 1) return "The latent of this model has several layers";
    if (/^UniformSphere/.test(this.metadata.prior)) return "The latent of this model lies on a sphere";
    if (/^(Relaxed)?Categorical/.test(this.metadata.prior)) return "The latent of this model is made of classes";
    return null;
  }

  get latentSize() {
    return this.latents[0].shape[1];
  }

  /** Samples `first ... first + labels.length - 1` of a seed, one by one: `{ k, x, z }`; z null in layers. */
  async *samples(seed, first, labels, z = "z") {
    const batch = this.batchSizes[0];
    for (let k = 0; k < labels.length; k += batch) {
      const inputs = { seed: int32([seed | 0]), index: int32([(first + k) | 0]), ...this.#condition(labels.slice(k, k + batch), batch) };
      const outputs = await this.run(this.#name("sample", batch), inputs);
      const xs = rows(outputs.x, batch);
      const zs = outputs[z] ? rows(outputs[z], batch) : [];
      for (let i = 0; i < batch && k + i < labels.length; i++) yield { k: k + i, x: xs[i], z: zs[i] ?? null };
    }
  }

  /** The pictures of latents (arrays of length D), one by one: `{ k, x }`. `quick` prefers large batches. */
  async *decoded(latents, labels, quick = false) {
    const fitting = this.batchSizes.filter((size) => size <= latents.length);
    const batch = quick && fitting.length ? fitting.at(-1) : this.batchSizes[0];
    for (let k = 0; k < latents.length; k += batch) {
      const z = new Float32Array(batch * this.latentSize);
      const page = latents.slice(k, k + batch);
      page.forEach((row, i) => z.set(row, i * this.latentSize));
      const inputs = { z: { data: z, shape: [batch, this.latentSize] }, ...this.#condition(labels.slice(k, k + batch), batch) };
      const outputs = await this.run(this.#name("decode", batch), inputs);
      for (const [i, x] of rows(outputs.x, batch).slice(0, page.length).entries()) yield { k: k + i, x };
    }
  }

  /** Runs a signature: `{ port: { data, shape } }` to `{ port: typed array }`. Frees every tensor. */
  run(signature, inputs) {
    const result = this.#last.then(() => this.#run(signature, inputs));
    this.#last = result.catch(() => {});
    return result;
  }

  async #run(signature, inputs) {
    const tensors = {};
    let outputs = {};
    try {
      for (const [port, { data, shape }] of Object.entries(inputs)) tensors[port] = new Tensor(data, shape);
      outputs = await this.#compiled.signatures[signature].run(tensors);
      return Object.fromEntries(Object.entries(outputs).map(([port, tensor]) => [port, tensor.toTypedArray()]));
    } finally {
      for (const tensor of [...Object.values(tensors), ...Object.values(outputs)]) tensor.delete();
    }
  }

  #name(signature, batch) {
    return batch === this.metadata.batch_sizes[0] ? signature : `${signature}_${batch}`;
  }

  #shapes(signature, side) {
    const runner = this.#compiled.signatures[signature];
    const details = side === "input" ? runner.getInputDetails() : runner.getOutputDetails();
    return details.map(({ name, shape }) => ({ name, shape: [...shape] }));
  }

  #condition(labels, batch) {
    if (!this.conditional) return {};
    return { y: int32(Array.from({ length: batch }, (_, i) => labels[i % labels.length])) };
  }
}

function int32(values) {
  return { data: new Int32Array(values), shape: [values.length] };
}

function rows(values, count) {
  const size = values.length / count;
  return Array.from({ length: count }, (_, i) => values.slice(i * size, (i + 1) * size));
}

/** LiteRT's native lines, notes among them, all come on its error stream. */
function logNative(line) {
  (/^(INFO|WARNING|VERBOSE):/.test(line) ? console.debug : console.error)(line);
}

async function load(path, options = {}) {
  const response = await fetch(path, options).catch((error) => {
    throw new Error(`${path} could not be loaded: ${error.message}`);
  });
  if (!response.ok) throw new Error(`${path} could not be loaded: the server answered ${response.status}.`);
  return response;
}

/** Where the browser offers hashes (https and localhost). */
async function checkHash(name, file, expected) {
  if (!globalThis.crypto?.subtle) return;
  const found = new Uint8Array(await crypto.subtle.digest("SHA-256", file));
  if (Array.from(found, (byte) => byte.toString(16).padStart(2, "0")).join("") !== expected) {
    throw new Error(`${name}.tflite is not the file that ${name}.json describes. Copy both again, together.`);
  }
}
