'use strict';
// Draws lanes into pixels. An interval narrower than a pixel colours it by its share of the time,
// and lanes that share a row of pixels are blended: nothing is left out, nothing is made longer.

// rows: lanes' numbers from top to bottom; colours: of each interval, an index into palette, NONE: not
// drawn. Returns how many intervals were looked at.
function rasterise(target, made, rows, {from, to, height, width, colours, palette, ground}) {
  const pixels = new Uint32Array(target.data.buffer), scale = width / (to - from);
  const lines = Math.max(1, Math.floor(height)), gap = lines > 3 ? 1 : 0;
  const red = new Float64Array(width), green = new Float64Array(width), blue = new Float64Array(width);
  const share = new Float64Array(width);
  const reds = Float64Array.from(palette, (one) => one[0]), greens = Float64Array.from(palette, (one) => one[1]);
  const blues = Float64Array.from(palette, (one) => one[2]);
  const [groundRed, groundGreen, groundBlue] = ground;
  pixels.fill(0xff000000 | groundBlue << 16 | groundGreen << 8 | groundRed);
  const starts = made.from, ends = made.to;
  let looked = 0, y = 0;
  const perLine = height < 1 ? 1 / height : 1;
  for (let row = 0; row < rows.length && y < target.height; row += perLine, y += lines) {
    const firstRow = Math.ceil(row), lastRow = Math.min(Math.ceil(row + perLine), rows.length);
    for (let l = firstRow; l < lastRow; l++) {
      const lane = rows[l];
      if (lane < 0) continue;
      const last = made.first[lane + 1];
      for (let i = firstAfter(made, lane, from); i < last; i++) {
        const start = starts[i];
        if (start >= to) break;
        looked++;
        const colour = colours[i];
        if (colour === NONE) continue;
        const x0 = start > from ? (start - from) * scale : 0;
        const x1 = ends[i] < to ? (ends[i] - from) * scale : width;
        const left = x0 | 0, right = Math.min(width - 1, x1 | 0);
        const r = reds[colour], g = greens[colour], b = blues[colour];
        for (let x = left; x <= right; x++) {
          const part = (x1 < x + 1 ? x1 : x + 1) - (x0 > x ? x0 : x);
          red[x] += r * part; green[x] += g * part; blue[x] += b * part; share[x] += part;
        }
      }
    }
    const lanes = Math.max(1, lastRow - firstRow), start = y * target.width;
    for (let x = 0; x < width; x++) {
      const whole = share[x];
      if (whole <= 0) continue;
      // A little of something is still to be seen.
      const covered = whole / lanes, strength = covered > 1 ? 1 : covered < 0.12 ? 0.12 : covered;
      const by = strength / whole, rest = 1 - strength;
      pixels[start + x] = 0xff000000 | (blue[x] * by + groundBlue * rest + 0.5) << 16 |
        (green[x] * by + groundGreen * rest + 0.5) << 8 | (red[x] * by + groundRed * rest + 0.5);
      red[x] = green[x] = blue[x] = share[x] = 0;
    }
    for (let line = 1; line < lines - gap && y + line < target.height; line++)
      pixels.copyWithin((y + line) * target.width, start, start + width);
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
