'use strict';
// Draws lanes into pixels. An interval narrower than a pixel colours it by its share of the time,
// and lanes that share a row of pixels are blended: nothing is left out, nothing is made longer.

// rows: lanes' numbers from top to bottom; colourOf: interval -> index into palette, -1 none.
// Returns how many intervals were looked at.
function rasterise(target, made, rows, {from, to, height, width, colourOf, palette, ground}) {
  const pixels = new Uint32Array(target.data.buffer), scale = width / (to - from);
  const lines = Math.max(1, Math.floor(height));
  const red = new Float32Array(width), green = new Float32Array(width), blue = new Float32Array(width);
  const share = new Float32Array(width);
  const gap = lines > 3 ? 1 : 0;
  const back = 0xff000000 | ground[2] << 16 | ground[1] << 8 | ground[0];
  pixels.fill(back);
  let looked = 0, y = 0;
  const perLine = height < 1 ? 1 / height : 1;
  for (let row = 0; row < rows.length && y < target.height; row += perLine, y += lines) {
    const lanes = Math.max(1, Math.min(Math.ceil(row + perLine), rows.length) - Math.ceil(row));
    red.fill(0); green.fill(0); blue.fill(0); share.fill(0);
    for (let l = Math.ceil(row); l < Math.min(Math.ceil(row + perLine), rows.length); l++) {
      const lane = rows[l];
      if (lane < 0) continue;
      const last = made.first[lane + 1];
      for (let i = firstAfter(made, lane, from); i < last && made.from[i] < to; i++) {
        looked++;
        const colour = colourOf(i);
        if (colour < 0) continue;
        const x0 = Math.max(0, (made.from[i] - from) * scale);
        const x1 = Math.min(width, (made.to[i] - from) * scale);
        const [r, g, b] = palette[colour];
        const left = Math.floor(x0), right = Math.min(width - 1, Math.floor(x1));
        for (let x = left; x <= right; x++) {
          const part = Math.min(x1, x + 1) - Math.max(x0, x);
          red[x] += r * part; green[x] += g * part; blue[x] += b * part; share[x] += part;
        }
      }
    }
    for (let x = 0; x < width; x++) {
      const covered = share[x] / lanes;
      if (covered <= 0) continue;
      // A little of something is still to be seen.
      const strength = Math.min(1, Math.max(covered, 0.12)), rest = 1 - strength, whole = share[x];
      const colour = 0xff000000 |
        Math.round(blue[x] / whole * strength + ground[2] * rest) << 16 |
        Math.round(green[x] / whole * strength + ground[1] * rest) << 8 |
        Math.round(red[x] / whole * strength + ground[0] * rest);
      for (let line = 0; line < lines - gap && y + line < target.height; line++)
        pixels[(y + line) * target.width + x] = colour;
    }
  }
  return looked;
}

// The first interval of a lane that ends after time.
function firstAfter(made, lane, time) {
  let low = made.first[lane], high = made.first[lane + 1];
  while (low < high) {
    const middle = (low + high) >> 1;
    if (made.to[middle] <= time) low = middle + 1;
    else high = middle;
  }
  return low;
}
