// Images of one field that zoom and pan together. The model holds what all views share, by the names that viewer.py
// explains; a view draws it, and turns mouse, touch, wheel and keys into new values.

const NARROW = 600, SMALLEST = 240, GAP = 12, BAR = 76; // CSS px
const OFTEN = 100, REST = 200; // ms between two messages of a drag; until a movement counts as over
const STEP = 1.5; // of a zoom by key or button
const CLICK = 4; // CSS px: less movement is a click
const MOVES = { ArrowUp: [-1, 0], ArrowDown: [1, 0], ArrowLeft: [0, -1], ArrowRight: [0, 1] };

function render({ model, el }) {
  const get = (name) => model.get(name);
  const field = () => [0, 0, ...get("shape")];
  let panes = [], sharp = null; // one a shot; {box, parts, bitmaps} of a part in more detail
  let cross = null, start = null; // where the keyboard points, and the first end of a line: middles of pixels
  let drag = null, pointed = null, symbols = [];
  let loading = 0, asked = "", frame = 0, timer, rest, sent = 0;

  // The page

  const hint = make("div", { class: "pnb-viewer-hint", id: `pnb-viewer-hint-${Math.random().toString(36).slice(2)}` }); // each viewer has its own copy of this module
  const readout = make("output", { class: "pnb-viewer-readout" });
  const stage = make("div", { class: "pnb-viewer-stage", tabindex: 0, role: "application", "aria-describedby": hint.id, ...OWN_KEYS });
  const button = (text, words, action) => {
    const made = make("button", { type: "button", title: words, "aria-label": words, ...OWN_KEYS }, text);
    made.addEventListener("click", action);
    return made;
  };
  const modes = get("_modes").map((mode) => [mode, button(MODES[mode][0], MODES[mode].join(": "), () => share("mode", mode))]);
  const tools = [button("+", "Zoom in", () => zoom(1 / STEP)), button("−", "Zoom out", () => zoom(STEP)), button("All", "All: the whole field", all)];
  el.classList.add("pnb-viewer");
  el.append(make("div", { class: "pnb-viewer-tools", role: "group", "aria-label": "Tools of the images" },
    ...tools, ...(modes.length > 1 ? modes.map(([, one]) => one) : [])), stage, readout, hint);

  // What is shared with Python and the other views

  function save() {
    clearTimeout(timer);
    [timer, sent] = [undefined, Date.now()];
    model.save_changes();
  }

  /** Set a value for all views; Python is told now, or in a movement at most ten times a second and only if it listens. */
  function share(name, value, moving = false) {
    model.set(name, value);
    if (!moving) save();
    else if (get("_live").includes(name)) timer ??= setTimeout(save, Math.max(0, sent + OFTEN - Date.now()));
  }

  /** Look at a region, moved into the field; whether that is another one than before. */
  function look([top, left, bottom, right]) {
    const [rows, columns] = get("shape"), down = inside(top, bottom, rows), along = inside(left, right, columns);
    const region = [down[0], along[0], down[1], along[1]];
    if (String(region) === String(get("region"))) return false;
    share("region", region, true);
    return true;
  }

  function all() {
    if (panes.length) look(field());
  }

  function zoom(factor, about) {
    if (!panes.length) return false;
    const [top, left, bottom, right] = get("region"), [rows, columns] = get("shape");
    const most = Math.max(rows / (bottom - top), columns / (right - left)), least = Math.max(LEAST / (bottom - top), LEAST / (right - left));
    const f = within(factor, Math.min(least, 1), most);
    const [row, col] = about ?? [(top + bottom) / 2, (left + right) / 2];
    return look([row - (row - top) * f, col - (col - left) * f, row + (bottom - row) * f, col + (right - col) * f]);
  }

  function pan(rows, columns) {
    const [top, left, bottom, right] = get("region"), [height, width] = get("shape");
    const down = within(rows, -top, height - bottom), along = within(columns, -left, width - right);
    look([top + down, left + along, bottom + down, right + along]);
  }

  /** Once it is quiet: tell Python, and ask for more detail where the screen could show more than the images have. */
  function settle() {
    clearTimeout(rest);
    rest = setTimeout(() => {
      if (drag) return;
      save();
      const region = get("region"), width = get("shape")[1], pane = panes[0];
      if (!pane?.width || asked === String(region)) return;
      asked = String(region);
      const coarse = pane.bitmap.width < width && fitted(region, pane).scale * devicePixelRatio > pane.bitmap.width / width;
      const held = sharp && region.every((edge, i) => (i < 2 ? edge >= sharp.box[i] : edge <= sharp.box[i]));
      if (coarse && !(held && 2 * (region[3] - region[1]) > sharp.box[3] - sharp.box[1])) model.send("sharper");
    }, REST);
  }

  /** Take a place as the point, or as an end of the line. */
  function pick(place) {
    cross = place;
    if (get("mode") === "point") share("point", place);
    else if (!start) start = place;
    else {
      share("line", [start, place]);
      start = null;
    }
    mark();
  }

  // Drawing

  function draw() {
    frame ||= requestAnimationFrame(() => {
      frame = 0;
      panes.forEach(paint);
    });
  }

  function paint(pane, index) {
    if (!pane.width) return; // not yet arranged
    const { scale, x, y } = fitted(get("region"), pane), dense = devicePixelRatio, { canvas, layers } = pane, pen = canvas.getContext("2d");
    [canvas.width, canvas.height] = [pane.width, pane.height].map((side) => Math.round(side * dense)); // clears it, too
    pen.scale(canvas.width / pane.width, canvas.height / pane.height);
    const put = (bitmap, [top, left, bottom, right]) => {
      pen.imageSmoothingEnabled = scale * (right - left) * dense < bitmap.width; // magnified pixels stay pixels
      pen.imageSmoothingQuality = "high";
      pen.drawImage(bitmap, x + scale * left, y + scale * top, scale * (right - left), scale * (bottom - top));
    };
    put(pane.bitmap, field());
    if (sharp) put(sharp.bitmaps[index], sharp.box);
    layers.marks.setAttribute("transform", `translate(${x} ${y}) scale(${scale})`);
    layers.symbols.replaceChildren(...symbols.map(({ at: [row, col], d, text, kind = "symbol" }) =>
      make("g", { transform: `translate(${x + scale * (col + 0.5)} ${y + scale * (row + 0.5)})`, class: `pnb-mark-${kind}` },
        ...(d ? stroked(d, "symbol") : []), ...(text ? [make("text", { x: 6, y: -6 }, text)] : []))));
    const [most, unit] = length((0.3 * pane.width) / scale, get("pixel_size")), long = round125(most);
    const bar = `M10 ${pane.height - 10}h${(0.3 * pane.width * long) / most}`;
    layers.scale.replaceChildren(...stroked(bar, "scale"), make("text", { x: 10, y: pane.height - 17 }, `${figures(long)} ${unit}`));
  }

  /** The marks, the line, the point and the cross, on each image. */
  function mark() {
    const line = get("line"), point = get("point");
    const drawn = [...get("fixed"), ...get("marks"), ...(line.length ? [{ kind: "line", at: line }] : [])];
    symbols = drawn.filter(({ label }) => label).map((one) => ({ at: labelled(one), text: one.label }));
    line.forEach((at, i) => symbols.push({ at, text: "AB"[i] }));
    if (point.length) symbols.push({ at: point, d: RING });
    if (start) symbols.push({ at: start, d: RING, text: "A" });
    if (cross && get("mode") !== "pan") symbols.push({ at: cross, d: CROSS, kind: "cross" });
    for (const { layers } of panes) {
      layers.marks.replaceChildren(...drawn.flatMap((one) => stroked(outline(one), one.kind, one.dashed ? { "stroke-dasharray": "6 5" } : {})));
    }
    draw();
  }

  /** The place and the values there, in words. */
  function say(place, aloud = false) {
    pointed = place;
    readout.setAttribute("aria-live", aloud ? "polite" : "off"); // what follows the mouse is not read out
    const [row, col] = place.map(Math.floor), metres = get("pixel_size");
    const measured = (n) => (n ? length(n, metres) : [0, length(row + col || 1, metres)[1]]); // nothing, in the unit of the other
    const lengths = [row, col].map(measured).map(([n, unit]) => `${figures(n)} ${unit}`).join(", ");
    const values = get("_shots").flatMap((shot, i) => {
      const value = (sharp && valueAt(sharp.parts[i], sharp.box, place)) ?? valueAt(shot, field(), place);
      const name = shot.title.replace(/^\p{Lu}(?=\p{Ll})/u, (first) => first.toLowerCase());
      return value === undefined ? [] : [`${name} ${Number.isFinite(value) ? `${figures(value)} ${shot.unit}`.trim() : "none"}`];
    });
    readout.textContent = `row ${row}, column ${col}${metres ? ` (${lengths})` : ""}${values.length ? ": " : ""}${values.join(", ")}`;
  }

  /** The shots anew; the former ones stay until these are decoded. */
  async function load() {
    const shots = get("_shots"), mine = ++loading, bitmaps = await Promise.all(shots.map(decoded));
    if (mine !== loading) return bitmaps.forEach((bitmap) => bitmap.close());
    panes.forEach(({ bitmap }) => bitmap.close());
    panes = shots.map((shot, i) => paneOf(shot, bitmaps[i]));
    [sharp, asked] = [null, ""];
    stage.setAttribute("aria-label", panes.length ? `Images that zoom together: ${shots.map(({ title }) => title).join(", ")}` : "No images yet");
    stage.replaceChildren(...(panes.length ? panes.map(({ figure }) => figure) : ["Nothing to show yet."]));
    if (panes.length && pointed?.every((x, i) => x < get("shape")[i])) say(pointed);
    else readout.textContent = "";
    arrange();
    mark();
    settle();
  }

  async function sharpen() {
    const { box, parts } = get("_sharp"), mine = loading;
    if (!box) return; // new shots are under way, and replace all
    const bitmaps = await Promise.all(parts.map(decoded));
    if (mine !== loading || parts.length !== panes.length) return;
    sharp?.bitmaps.forEach((bitmap) => bitmap.close());
    sharp = { box, parts, bitmaps };
    draw();
  }

  /** As few rows as give each image room; below each other where the page is narrow. */
  function arrange() {
    const room = el.clientWidth, [rows, columns] = get("shape"), count = panes.length;
    if (!room || !count) return; // hidden, or nothing to show
    const beside = get("_shots").some(({ bar }) => bar) ? BAR : 0;
    const wide = (lines) => room / Math.ceil(count / lines) - beside - GAP;
    let lines = room < NARROW ? count : 1;
    while (lines < count && wide(lines) < SMALLEST) lines++;
    stage.style.gridTemplateColumns = `repeat(${Math.ceil(count / lines)}, max-content)`;
    const ratio = within(columns / rows, 0.5, 3), width = Math.max(Math.min(wide(lines), get("height") * ratio), 80);
    for (const pane of panes) {
      [pane.width, pane.height] = [width, width / ratio];
      Object.assign(pane.box.style, { width: `${width}px`, height: `${width / ratio}px` });
    }
    draw();
  }

  function reflect() {
    for (const [mode, one] of modes) one.setAttribute("aria-pressed", mode === get("mode"));
    stage.dataset.mode = get("mode");
    hint.textContent = HINTS[get("mode")];
    start = null;
    mark();
  }

  // Mouse, touch, wheel and keys

  /** The pane and the place under a pointer; in a drag, of the pane that it began in. */
  function under(event) {
    const pane = drag ? panes[drag.index] : panes.find(({ box }) => box.contains(event.target));
    if (!pane) return null;
    const { left, top } = pane.box.getBoundingClientRect(), { scale, x, y } = fitted(get("region"), pane), [rows, columns] = get("shape");
    const row = within((event.clientY - top - y) / scale, 0, rows - 0.001), col = within((event.clientX - left - x) / scale, 0, columns - 0.001);
    return { pane, scale, place: [row, col], middle: [row, col].map((at) => Math.round((at - 0.5) * 100) / 100) };
  }

  function press(event) {
    const at = under(event);
    if (!at || drag || event.button) return;
    stage.focus({ preventScroll: true });
    stage.setPointerCapture(event.pointerId);
    drag = { id: event.pointerId, index: panes.indexOf(at.pane), from: event, last: event, middle: at.middle, moved: false };
  }

  function move(event) {
    const at = under(event);
    if (!at || (drag && drag.id !== event.pointerId)) return;
    say(at.place);
    if (!drag) return;
    drag.moved ||= Math.hypot(event.clientX - drag.from.clientX, event.clientY - drag.from.clientY) >= CLICK;
    if (!drag.moved) return;
    if (get("mode") === "pan") pan((drag.last.clientY - event.clientY) / at.scale, (drag.last.clientX - event.clientX) / at.scale);
    if (get("mode") === "line") share("line", [drag.middle, at.middle], true);
    if (get("mode") === "point") share("point", at.middle, true);
    drag.last = event;
  }

  function lift(event) {
    if (drag?.id !== event.pointerId) return;
    const { moved, middle } = drag;
    drag = null;
    if (moved) start = null;
    else if (event.type === "pointerup" && get("mode") !== "pan") pick(middle);
    save();
    settle();
  }

  function turn(event) {
    const at = under(event);
    if (!at || !(event.ctrlKey || stage.matches(":focus"))) return; // who scrolls past is not held up
    const turned = within(event.deltaY * (event.deltaMode ? 16 : 1), -120, 120);
    if (zoom(Math.exp(turned / 300), at.place)) event.preventDefault();
  }

  function moveCross(down, along) {
    const [top, left, bottom, right] = get("region"), [rows, columns] = get("shape");
    const [row, col] = (cross ?? [(top + bottom) / 2, (left + right) / 2]).map(Math.round);
    cross = [within(row + down, 0, rows - 1), within(col + along, 0, columns - 1)];
    const [y, x] = cross.map((at) => at + 0.5);
    if (y - 0.5 < top || y + 0.5 > bottom || x - 0.5 < left || x + 0.5 > right) pan(y - (top + bottom) / 2, x - (left + right) / 2);
    say([y, x], true);
    mark();
  }

  function key(event) {
    if (event.ctrlKey || event.metaKey || event.altKey || !panes.length) return;
    const picks = get("mode") !== "pan", about = picks && cross ? cross.map((at) => at + 0.5) : undefined, [top, left, bottom, right] = get("region");
    if (event.key in MOVES) {
      const [down, along] = MOVES[event.key], far = event.shiftKey;
      if (picks) moveCross(down * (far ? 10 : 1), along * (far ? 10 : 1));
      else pan(down * (bottom - top) * (far ? 0.5 : 0.1), along * (right - left) * (far ? 0.5 : 0.1));
    } else if (event.key === "+" || event.key === "=") zoom(1 / STEP, about);
    else if (event.key === "-" || event.key === "−") zoom(STEP, about);
    else if (event.key === "0") all();
    else if (event.key === "Enter" && picks && cross) pick(cross);
    else if (event.key === "Escape" && start) start = null;
    else return;
    event.preventDefault();
    mark();
  }

  const heard = { pointerdown: press, pointermove: move, pointerup: lift, pointercancel: lift, keydown: key, dblclick: () => get("mode") === "pan" && all() };
  for (const [name, action] of Object.entries(heard)) stage.addEventListener(name, action);
  stage.addEventListener("wheel", turn, { passive: false });
  const region = () => (draw(), settle());
  const told = { _shots: load, _sharp: sharpen, region, mode: reflect, height: arrange, pixel_size: draw, marks: mark, fixed: mark, line: mark, point: mark };
  for (const [name, action] of Object.entries(told)) model.on(`change:${name}`, action);
  const seen = new ResizeObserver(arrange);
  seen.observe(el);
  reflect();
  load();
  return () => {
    for (const [name, action] of Object.entries(told)) model.off(`change:${name}`, action);
    seen.disconnect();
    cancelAnimationFrame(frame);
    [timer, rest].forEach(clearTimeout);
    loading++; // what is still being decoded is dropped
    [...panes.map(({ bitmap }) => bitmap), ...(sharp?.bitmaps ?? [])].forEach((bitmap) => bitmap.close());
  };
}

export default { render };
