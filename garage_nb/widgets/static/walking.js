// Ways over the machine: keys from cell to cell, and rectangles by drag.

const PAGE = 8; // lines
const EDGE = 18; // px of the machine's window in which a drag scrolls it

const STEPS = {
  ArrowUp: [-1, 0], ArrowDown: [1, 0], ArrowLeft: [0, -1], ArrowRight: [0, 1],
  PageUp: [-PAGE, 0], PageDown: [PAGE, 0], Home: [-Infinity, 0], End: [Infinity, 0],
};
const PICKS = { " ": "toggle", Enter: "only" };
const OPENS = { "+": true, "=": true, "-": false };

/** The cells of the rectangle two cells span: of parts, or of what is inside opened ones. */
function between(cells, a, b) {
  const same = (a.index < 0) === (b.index < 0);
  const [from, to] = same ? [a, b] : [a.owner ?? a, b.owner ?? b];
  const inside = (key, cell) => Math.min(from[key], to[key]) <= cell[key] && cell[key] <= Math.max(from[key], to[key]);
  return cells.filter(cell => ["row", "column", "index"].every(key => inside(key, cell)));
}

function centre(cell) {
  const box = cell.node.getBoundingClientRect();
  return box.left + box.width / 2;
}

/** The lines that arrow keys walk: each row, then what is inside it as it wraps. */
function linesOf(drawn) {
  return drawn.flatMap(row => {
    const lines = new Map();
    for (const cell of row.units) {
      const top = Math.round(cell.node.getBoundingClientRect().top);
      lines.set(top, [...(lines.get(top) ?? []), cell]);
    }
    const inside = [...lines].sort(([a], [b]) => a - b).map(([, line]) => line);
    return [[row.opener, ...row.cells].filter(Boolean), ...inside];
  });
}

/** The cell a step away: within the line by order, between lines by what is nearest to `goal`, in px. */
function neighbour(drawn, from, [down, right], goal) {
  const lines = linesOf(drawn);
  const place = lines.findIndex(line => line.includes(from));
  if (right) return lines[place][lines[place].indexOf(from) + right] ?? from;
  const line = lines[Math.max(0, Math.min(lines.length - 1, place + down))];
  const away = cell => Math.abs(centre(cell) - goal);
  return line.reduce((best, cell) => (away(cell) < away(best) ? cell : best));
}

/** One tab stop that follows the focus, and keys that walk, pick and open. Returns what moves the stop. */
function walking(plan, pick, open, wasDragged) {
  const { grid, drawn, at } = plan;
  let stop = drawn[0].cells[0];
  let goal = null;
  const stand = cell => {
    stop.node.tabIndex = -1;
    stop = cell;
    stop.node.tabIndex = 0;
  };
  const isOpen = cell => drawn[cell.row].units.length > 0;
  grid.addEventListener("focusin", event => stand(at(event.target) ?? stop));
  grid.addEventListener("click", event => {
    const cell = at(event.target);
    if (!cell || wasDragged()) return;
    goal = null;
    cell.node.focus({ preventScroll: true });
    if (cell.opener) open(cell.row, !isOpen(cell));
    else pick(cell, event.shiftKey ? "range" : event.ctrlKey || event.metaKey ? "toggle" : "only");
  });
  const wished = ({ key }) => {
    if (key in OPENS) return OPENS[key];
    const turns = stop.opener && (key in PICKS || key === (isOpen(stop) ? "ArrowLeft" : "ArrowRight"));
    return turns ? !isOpen(stop) : null;
  };
  const step = (event, way) => {
    const from = stop;
    if (way[1]) goal = null;
    else goal ??= centre(from);
    const to = neighbour(drawn, from, way, goal);
    to.node.focus();
    if (event.shiftKey) pick(to, "range", from);
  };
  grid.addEventListener("keydown", event => {
    const wish = wished(event);
    if (wish === null && !(event.key in STEPS) && !(event.key in PICKS)) return;
    event.preventDefault();
    event.stopPropagation();
    if (wish === null) return event.key in PICKS ? pick(stop, PICKS[event.key]) : step(event, STEPS[event.key]);
    const { owner } = stop;
    open(stop.row, wish);
    if (!wish) owner?.node.focus();
  });
  return stand;
}

/** A rectangle by drag: shown while the pointer moves, sent when it is let go, taken back by Escape. */
function dragging(model, plan, { span, drop }, paint) {
  const { grid, at } = plan;
  let [drag, moved] = [null, false];
  grid.addEventListener("pointerdown", event => {
    moved = false;
    const from = at(event.target);
    const scrolls = event.pointerType === "touch";
    if (!from || from.opener || event.button || event.shiftKey || scrolls || !model.get("multiple")) return;
    drag = { from, to: from, base: event.ctrlKey || event.metaKey ? model.get("value") : [] };
  });
  grid.addEventListener("pointermove", event => {
    if (!drag) return;
    const frame = grid.getBoundingClientRect();
    if (moved && event.clientY < frame.top + EDGE) grid.scrollTop -= EDGE;
    if (moved && event.clientY > frame.bottom - EDGE) grid.scrollTop += EDGE;
    const to = at(document.elementFromPoint(event.clientX, event.clientY));
    if (!to || to.opener || to === drag.to) return;
    if (!moved) grid.setPointerCapture(event.pointerId);
    moved = true;
    drag.to = to;
    paint([...span(drag.from, to, drag.base)]);
  });
  grid.addEventListener("pointerup", () => {
    if (drag && moved) drop(drag.from, span(drag.from, drag.to, drag.base));
    drag = null;
    setTimeout(() => { moved = false; }); // the click that follows belongs to the drag
  });
  const undo = event => {
    if (!drag || (event.key ?? "Escape") !== "Escape") return;
    event.stopPropagation();
    drag = null;
    paint(model.get("value"));
  };
  grid.addEventListener("pointercancel", undo);
  grid.addEventListener("keydown", undo);
  return () => moved;
}
