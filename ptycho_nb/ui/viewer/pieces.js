// What the viewer puts on a page, and what it says there.

const OWN_KEYS = { "data-lm-suppress-shortcuts": "true" }; // else the notebook takes them: d d deletes the cell
const MODES = { pan: ["Pan", "a drag moves the images"], line: ["Line", "a drag draws a line"], point: ["Point", "a click picks a point"] };
const CROSS_KEYS = "Keyboard: arrows move the cross by 1 px, with Shift by 10;";
const HINTS = {
  pan: "Drag to move. Click an image, then the wheel zooms (or Ctrl + wheel). Double-click or 0 shows all. Keyboard: arrows, + and −.",
  line: `Drag a line, or click its two ends. ${CROSS_KEYS} Enter sets an end, Escape gives it up.`,
  point: `Click a point, or drag it. ${CROSS_KEYS} Enter picks.`,
};

/** An element, or a piece of a drawing; strings in it become text, never markup. */
function make(name, attributes = {}, ...content) {
  const drawn = ["svg", "g", "path", "text"].includes(name);
  const made = drawn ? document.createElementNS("http://www.w3.org/2000/svg", name) : document.createElement(name);
  for (const [key, value] of Object.entries(attributes)) made.setAttribute(key, value);
  made.append(...content);
  return made;
}

/** Light over dark: seen on black, on white and on every colour. */
function stroked(d, kind, attributes = {}) {
  return ["under", "upper"].map((layer) => make("path", { d, class: `pnb-mark-${layer} pnb-mark-${kind}`, ...attributes }));
}

const decoded = (part) => createImageBitmap(new Blob([part.image], { type: "image/png" }));

/** One shot on the page: its title, its image under the drawing of the marks, its colour bar. */
function paneOf({ title, words, bar }, bitmap) {
  const canvas = make("canvas", { "aria-hidden": "true" }), layers = { marks: make("g"), symbols: make("g"), scale: make("g") };
  const over = make("svg", { "aria-hidden": "true" }, ...Object.values(layers));
  const box = make("div", { class: "pnb-viewer-frame", role: "img", "aria-label": words }, canvas, over);
  const sides = make("div", { class: "pnb-viewer-sides" }, box);
  if (bar) {
    const [low, high] = [bar.low, bar.high].map((end) => `${end} ${bar.unit}`.trim());
    const written = [bar.high, bar.unit, bar.low].map((text, i) => make("span", i === 1 ? { class: "pnb-viewer-unit" } : {}, text));
    const strip = make("div", { class: "pnb-viewer-strip" }), ends = make("div", { class: "pnb-viewer-ends" }, ...written);
    strip.style.background = `linear-gradient(to top, ${bar.colours.join(", ")})`;
    sides.append(make("div", { class: "pnb-viewer-bar", role: "img", "aria-label": `Colours from ${low} to ${high}` }, strip, ends));
  }
  return { box, canvas, layers, bitmap, figure: make("figure", {}, make("figcaption", {}, title), sides) };
}
