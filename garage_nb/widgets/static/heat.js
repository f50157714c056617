// Heat: amounts as colours, one pixel a cell. Whoever shows the canvas larger keeps the edges of the cells.

const SHADES = 1024;
const _shades = new WeakMap();

/** Every shade between the stops of a scale, packed as ImageData holds them, worked out once a scale. */
function shades(stops) {
  if (!_shades.has(stops)) {
    const bytes = new Uint8ClampedArray(SHADES * 4);
    for (let i = 0; i < SHADES; i++) bytes.set([...colour(i / (SHADES - 1), stops), 255], i * 4);
    _shades.set(stops, new Uint32Array(bytes.buffer));
  }
  return _shades.get(stops);
}

/** Paints rows × columns of `values`, row by row from the top, or from the bottom where `up`. What is NaN stays clear. */
function heat(canvas, { rows, columns, values, low, high, stops, up = false }) {
  if (canvas.width !== columns || canvas.height !== rows) [canvas.width, canvas.height] = [columns, rows];
  if (!rows || !columns) return;
  const context = canvas.getContext("2d"), image = context.createImageData(columns, rows);
  const cells = new Uint32Array(image.data.buffer), table = shades(stops);
  const scale = high > low ? (SHADES - 1) / (high - low) : 0, middle = scale ? 0 : (SHADES - 1) / 2;
  for (let row = 0; row < rows; row++) {
    const from = row * columns, to = (up ? rows - 1 - row : row) * columns;
    for (let column = 0; column < columns; column++) {
      const value = values[from + column];
      if (value === value) cells[to + column] = table[Math.max(0, Math.min(SHADES - 1, Math.round((value - low) * scale + middle)))];
    }
  }
  context.putImageData(image, 0, 0);
}
