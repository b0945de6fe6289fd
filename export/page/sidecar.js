// The sidecar: what the page reads of it, and which kind each key has to be of.

const isText = (value) => typeof value === "string";
const isSize = (value) => Number.isInteger(value) && value >= 1;
const areSizes = (value) => Array.isArray(value) && value.every(isSize);
const orNull = (holds) => (value) => value === null || holds(value);

const KEYS = {
  sha256: isText,
  package_version: isText,
  prior: isText,
  likelihood: isText,
  quantization: orNull(isText),
  event_shape: areSizes,
  value_range: orNull((value) => Array.isArray(value) && value.length === 2 && value.every(Number.isFinite)),
  latent_sizes: (value) => areSizes(value) && value.length > 0,
  batch_sizes: (value) => areSizes(value) && value.length > 0 && new Set(value).size === value.length,
  condition_shape: orNull(areSizes),
  num_classes: orNull(isSize),
};

/** The content of `NAME.json`; throws what is wrong with it. */
export function parse(name, text) {
  let metadata;
  try {
    metadata = JSON.parse(text);
  } catch (error) {
    throw new Error(`${name}.json is not JSON: ${error.message}. ${FIX}`);
  }
  if (metadata?.format_version !== 1) throw new Error(`${name}.json has format ${metadata?.format_version}; this page reads format 1.`);
  const wrong = Object.keys(KEYS).filter((key) => !(key in metadata) || !KEYS[key](metadata[key]));
  if (wrong.length) {
    const found = wrong.map((key) => (key in metadata ? `${key} is ${JSON.stringify(metadata[key])}` : `${key} is missing`));
    throw new Error(`${name}.json does not describe a model: ${found.join(", ")}. ${FIX}`);
  }
  return metadata;
}

const FIX = "Export the model again, and copy both files.";
