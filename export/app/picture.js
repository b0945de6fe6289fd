
/** Draws picture `row` of the x that a call gave on a canvas, `$width` by `$height` pixels. */
export function draw(canvas, x, row = 0) {
  canvas.width = $width;
  canvas.height = $height;
  canvas.getContext("2d").putImageData(new ImageData(colors(x, row), $width, $height), 0, 0);
}

/** The same as bytes R, G, B, 255 of each pixel, row by row. */
export function colors(x, row = 0) {
  const low = $low;
  const scale = 255 / Math.max($high - low, 1e-12);
  const found = new Uint8ClampedArray(4 * $width * $height).fill(255);
  for (let pixel = 0; pixel < $width * $height; pixel++) {
    const first = (row * $width * $height + pixel) * $channels;
    for (let c = 0; c < 3; c++) {
      found[4 * pixel + c] = Math.round(Math.min(Math.max((x[first + (c % $channels)] - low) * scale, 0), 255));
    }
  }
  return found;
}
