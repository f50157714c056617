// The layer picker: rows of parts, output on top, as a grid with one tab stop. Data: `_rows` from the input to the output.

const MARKS = ["layer_norm", "gate"];
const HINT = "Click or arrow keys. Shift extends, Ctrl or Cmd adds.";
const PAGE = 8; // rows
const ROOMY = 8; // up to this many layers get tall rows, with attention drawn below ffn as the stream meets them
const RESIDUAL = 3;
const WIDE = [0, 7]; // attention and ffn
const LONGEST = 27; // characters of name and figures that a branch makes room for

const STEPS = {
  ArrowUp: [-1, 0], ArrowDown: [1, 0], ArrowLeft: [0, -1], ArrowRight: [0, 1],
  PageUp: [-PAGE, 0], PageDown: [PAGE, 0], Home: [-Infinity, 0], End: [Infinity, 0],
};
const PICKS = { " ": "toggle", Enter: "only" };

/** Column widths: branches share what is left up to their longest text, marks are thin, an unused column takes nothing. */
function tracks(rows) {
  const places = rows.flatMap(row => row.places);
  const used = new Set(places.map(place => place.column));
  const branches = places.filter(place => WIDE.includes(place.column));
  const longest = Math.max(0, ...branches.map(place => Math.min(place.label.length + place.figures.length, LONGEST)));
  const width = column => {
    if (WIDE.includes(column)) return `minmax(0, max(11rem, ${longest + 4}ch))`;
    if (column === RESIDUAL) return "3em";
    return used.has(column) ? "1.3em" : "0";
  };
  return Array.from({ length: 8 }, (_, column) => width(column)).join(" ");
}

function label(place) {
  if (MARKS.includes(place.kind)) return [make("span", "gnb-bar")];
  if (place.kind === "full_layer") return [make("span", "gnb-name", place.label)];
  return [shortening(place.label), make("span", "gnb-figures", place.figures)];
}

function drawPlace(place, index) {
  const node = control("div", `gnb-part gnb-${place.kind} gnb-col${place.column}`, place.words);
  node.setAttribute("role", "gridcell");
  if (place.unavailable) node.setAttribute("aria-disabled", "true");
  node.append(...label(place));
  return { ...place, row: index, node };
}

function drawRow(row, index) {
  const line = make("div", row.layer === null ? "gnb-row gnb-outside" : "gnb-row");
  line.setAttribute("role", "row");
  const cells = row.places.map(place => drawPlace(place, index));
  for (const cell of cells) {
    if (WIDE.includes(cell.column) && cell.kind !== "rotary_emb") line.append(make("i", `gnb-pipe gnb-col${cell.column}`));
  }
  line.append(...cells.map(cell => cell.node));
  if (row.layer === null && MARKS.includes(cells[0].kind)) line.append(aside(cells[0].name));
  return { line, cells, stack: row.stack };
}

/** The rows as they are; of two stacks each is a group under its name, and the residual stream ends at its edge. */
function stacked(drawn) {
  const names = [...new Set(drawn.map(row => row.stack))];
  return names.map(name => {
    const node = make("div", "gnb-stack");
    node.setAttribute("role", name ? "rowgroup" : "presentation");
    if (name) {
      node.setAttribute("aria-label", name);
      node.append(make("p", "gnb-caption", name));
      node.firstChild.setAttribute("aria-hidden", "true");
    }
    node.append(...drawn.filter(row => row.stack === name).map(row => row.line));
    return node;
  });
}

/** The name beside a mark that has the row to itself. */
function aside(name) {
  const node = shortening(name);
  node.classList.add("gnb-aside");
  node.setAttribute("aria-hidden", "true");
  return node;
}

/** The cells of the rectangle two cells span. */
function between(cells, a, b) {
  const inside = (key, cell) => Math.min(a[key], b[key]) <= cell[key] && cell[key] <= Math.max(a[key], b[key]);
  return cells.filter(cell => inside("row", cell) && inside("column", cell));
}

/** The cell a step away: within the row by order, between rows by the nearest column to `goal`. */
function neighbour(cells, from, [down, right], goal) {
  if (right) {
    const row = cells.filter(cell => cell.row === from.row);
    return row[row.indexOf(from) + right] ?? from;
  }
  const last = cells[cells.length - 1].row;
  const target = Math.max(0, Math.min(last, from.row + down));
  const row = cells.filter(cell => cell.row === target);
  return row.reduce((best, cell) => (Math.abs(cell.column - goal) < Math.abs(best.column - goal) ? cell : best));
}

function toggled(names, name) {
  const next = new Set(names);
  if (!next.delete(name)) next.add(name);
  return next;
}

/** `attention_0, attention_1 … attention_11`: a list that names its ends. */
function brief(names) {
  return names.length <= 4 ? names.join(", ") : `${names.slice(0, 2).join(", ")} … ${names[names.length - 1]}`;
}

/** Model, size and how much was changed. `paint` writes the last. */
function heading(model) {
  const line = make("p", "gnb-title");
  const name = shortening(model.get("_title"));
  name.title = model.get("_title");
  const count = make("span", "gnb-count");
  line.append(name, make("span", "gnb-about", model.get("_about")), count);
  const paint = changed => {
    count.textContent = changed.length ? `${changed.length} changed` : "";
    count.title = changed.join(", ");
  };
  return { line, paint };
}

function machine(model) {
  const rows = [...model.get("_rows")].reverse();
  const drawn = rows.map(drawRow);
  const layers = rows.filter(row => row.places.some(place => place.kind === "full_layer")).length;
  const grid = make("div", layers <= ROOMY ? "gnb-machine gnb-roomy" : "gnb-machine");
  grid.setAttribute("role", "grid");
  grid.setAttribute("aria-label", `Parts of ${model.get("_title")}, output on top`);
  grid.setAttribute("aria-multiselectable", String(model.get("multiple")));
  grid.style.setProperty("--gnb-tracks", tracks(rows));
  grid.append(...stacked(drawn));
  return { grid, cells: drawn.flatMap(row => row.cells) };
}

/** What a click or key makes of the value. `how`: only, toggle, or range from the part picked last. What is n/a stays out. */
function picking(model, cells) {
  let anchor = null;
  const result = (cell, how, old) => {
    const multiple = model.get("multiple");
    if (how === "range" && multiple && anchor) return new Set(between(cells, anchor, cell).map(each => each.name));
    if (how === "toggle" && multiple) return toggled(old, cell.name);
    return new Set(old.size === 1 && old.has(cell.name) ? [] : [cell.name]);
  };
  return (cell, how, from = cell) => {
    if (how === "range") anchor ??= from;
    const reaches = how === "range" && model.get("multiple") && anchor !== cell;
    if (cell.unavailable && !reaches) return;
    const next = result(cell, how, new Set(model.get("value")));
    if (how !== "range") anchor = cell;
    const usable = [...cells].reverse().filter(each => !each.unavailable);
    model.set("value", usable.map(each => each.name).filter(name => next.has(name)));
    model.save_changes();
  };
}

function paintCell(cell, picked, changed) {
  cell.node.setAttribute("aria-selected", String(picked));
  cell.node.setAttribute("aria-label", changed ? `${cell.words}, changed` : cell.words);
  cell.node.classList.toggle("gnb-changed", changed);
}

/** Brings the first of these cells into the machine's own window, and never scrolls the notebook. */
function reveal(grid, cells) {
  const top = cell => cell.node.closest(".gnb-row").offsetTop;
  const visible = cell => top(cell) >= grid.scrollTop && top(cell) < grid.scrollTop + grid.clientHeight;
  if (cells.length && !cells.some(visible)) grid.scrollTop = top(cells[0]) - grid.clientHeight / 2;
}

/** One tab stop that follows the focus, and keys that walk and pick. Returns the function that moves the stop. */
function walking(grid, cells, cellAt, pick) {
  let stop = cells[0];
  let goal = RESIDUAL;
  const stand = cell => {
    stop.node.tabIndex = -1;
    stop = cell;
    stop.node.tabIndex = 0;
  };
  grid.addEventListener("focusin", event => stand(cellAt(event) ?? stop));
  grid.addEventListener("click", event => {
    const cell = cellAt(event);
    if (!cell) return;
    goal = cell.column;
    cell.node.focus({ preventScroll: true });
    pick(cell, event.shiftKey ? "range" : event.ctrlKey || event.metaKey ? "toggle" : "only");
  });
  grid.addEventListener("keydown", event => {
    const step = STEPS[event.key];
    if (!step && !(event.key in PICKS)) return;
    event.preventDefault();
    event.stopPropagation();
    if (!step) return pick(stop, PICKS[event.key]);
    const from = stop;
    const to = neighbour(cells, from, step, goal);
    if (step[1]) goal = to.column;
    to.node.focus();
    if (event.shiftKey) pick(to, "range", from);
  });
  return stand;
}

/** The line that says in words what is under the pointer, or else has the focus. */
function reading(grid, cellAt) {
  const line = make("p", "gnb-words", HINT);
  let focused = null;
  const say = cell => { line.textContent = (cell ?? focused)?.words ?? HINT; };
  grid.addEventListener("focusin", event => say(focused = cellAt(event) ?? null));
  grid.addEventListener("focusout", () => say(focused = null));
  grid.addEventListener("pointerover", event => say(cellAt(event)));
  grid.addEventListener("pointerleave", () => say(null));
  return line;
}

function render({ model, el }) {
  const { body, close, alive } = frame({ model, el }, "gnb-picker", `Layers of ${model.get("_title")}`);
  const title = heading(model);
  const { grid, cells } = machine(model);
  const byNode = new Map(cells.map(cell => [cell.node, cell]));
  const cellAt = event => byNode.get(event.target.closest(".gnb-part"));
  const choose = picking(model, cells);
  const stand = walking(grid, cells, cellAt, (...how) => alive() && choose(...how));
  const status = make("p", "gnb-status");
  status.setAttribute("role", "status");
  body.append(title.line, grid, reading(grid, cellAt), status);

  const picked = () => cells.filter(cell => model.get("value").includes(cell.name));
  const paint = () => {
    const value = model.get("value");
    const changed = model.get("changed");
    for (const cell of cells) paintCell(cell, value.includes(cell.name), changed.includes(cell.name));
    status.textContent = value.length ? `${value.length} picked: ${brief(value)}` : "Nothing picked.";
    status.title = value.join(", ");
    title.paint(changed);
  };
  model.on("change:value", () => { paint(); reveal(grid, picked()); });
  model.on("change:changed", paint);
  paint();
  stand(picked()[0] ?? cells[0]);
  requestAnimationFrame(() => reveal(grid, picked()));
  return close;
}

export default { render };
