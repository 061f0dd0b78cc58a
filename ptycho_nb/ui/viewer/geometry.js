// Numbers and outlines of the viewer, apart from any page. Inside, places are (row, col) with edges at whole numbers;
// outside, whole numbers are the middles of pixels: hence each 0.5.

const LEAST = 4; // px of the data: no closer look, as in viewer.py
const UNITS = [["m", 1], ["mm", 1e-3], ["µm", 1e-6], ["nm", 1e-9], ["pm", 1e-12]];
const CROSS = "M-14 0H-4M4 0H14M0 -14V-4M0 4V14", RING = "M-6 0a6 6 0 1 0 12 0a6 6 0 1 0 -12 0M0 0h0";

const within = (value, low, high) => Math.min(Math.max(value, low), high);
const figures = (value) => String(Number(value.toPrecision(3))).replace(/-/g, "−");

/** So many pixels as a length in a handy unit: [number, unit]. */
function length(pixels, metres) {
  if (!metres) return [pixels, "px"];
  const [unit, size] = UNITS.find(([, one]) => pixels * metres >= one * 0.9995) ?? UNITS.at(-1);
  return [(pixels * metres) / size, unit];
}

/** The longest of 1, 2, 5, 10 … that is no longer than this. */
function round125(value) {
  const ten = 10 ** Math.floor(Math.log10(value) + 1e-9);
  return ten * (value >= 5 * ten ? 5 : value >= 2 * ten ? 2 : 1);
}

/** Two edges moved into 0 to n; rounded, so that messages stay short. */
function inside(low, high, n) {
  const size = within(high - low, Math.min(LEAST, n), n), start = within((low + high - size) / 2, 0, n - size);
  return [start, start + size].map((edge) => Math.round(edge * 1000) / 1000);
}

/** How a region lies in a frame: CSS px of a pixel, and where the corner of the data is. */
function fitted([top, left, bottom, right], { width, height }) {
  const scale = Math.min(width / (right - left), height / (bottom - top));
  return { scale, x: width / 2 - (scale * (left + right)) / 2, y: height / 2 - (scale * (top + bottom)) / 2 };
}

/** A number of half precision: not every browser has an array of them. */
function half(bits) {
  const sign = bits >> 15 ? -1 : 1, exponent = (bits >> 10) & 31, rest = bits & 1023;
  if (exponent === 31) return rest ? NaN : sign * Infinity;
  return sign * (exponent ? (1 + rest / 1024) * 2 ** (exponent - 15) : rest * 2 ** -24);
}

/** The value at a place of a shot, or of a part of one, that covers a box; undefined where it has none. */
function valueAt({ values, size: [rows, columns] }, [top, left, bottom, right], [row, col]) {
  const i = Math.floor(((row - top) / (bottom - top)) * rows), j = Math.floor(((col - left) / (right - left)) * columns);
  if (!values || i < 0 || j < 0 || i >= rows || j >= columns) return undefined;
  const n = i * columns + j;
  return values.byteLength === 2 * rows * columns ? half(values.getUint16(2 * n, true)) : values.getFloat32(4 * n, true);
}

/** The outline of a mark, in pixels of the data. */
function outline({ kind, at, radius: r }) {
  const place = ([row, col]) => `${col + 0.5} ${row + 0.5}`;
  if (kind === "circle") return `M${place([at[0], at[1] - r])}a${r} ${r} 0 1 0 ${2 * r} 0a${r} ${r} 0 1 0 ${-2 * r} 0z`;
  if (kind === "box") return `M${at[1]} ${at[0]}H${at[3]}V${at[2]}H${at[1]}z`;
  return kind === "points" ? at.map((one) => `M${place(one)}h0`).join("") : `M${at.map(place).join("L")}`;
}

/** Where the label of a mark stands: the top of a circle, a corner of a box, else the first place. */
function labelled({ kind, at, radius }) {
  if (kind === "circle") return [at[0] - radius, at[1]];
  return kind === "box" ? [at[0] - 0.5, at[1] - 0.5] : at[0];
}
