// The machine drawing: rows of cells, and what is inside an opened row. Data: `_rows` from the input to the output.

const MARKS = ["layer_norm", "gate"];
const ROOMY = 8; // up to this many layers get tall rows, with attention drawn below ffn as the stream meets them
const RESIDUAL = 3;
const WIDE = [0, 7]; // attention and ffn
const LONGEST = 27; // characters of name and figures that a branch makes room for

/** Column widths: branches share what is left up to their longest text, an unused column takes nothing. */
function tracks(rows) {
  const places = rows.flatMap(row => row.places);
  const used = new Set(places.map(place => place.column));
  const branches = places.filter(place => WIDE.includes(place.column));
  const longest = Math.min(LONGEST, Math.max(0, ...branches.map(place => (place.label + place.figures).length)));
  const width = column => {
    if (WIDE.includes(column)) return `minmax(0, max(11rem, ${longest + 4}ch))`;
    if (column === RESIDUAL) return "3em";
    return used.has(column) ? "1.3em" : "0";
  };
  return ["1.5em", ...[0, 1, 2, 3, 4, 5, 6, 7].map(width)].join(" ");
}

/** A cell of the grid. Its `index` is its place inside its part, -1 for the part itself. */
function cellOf(kind, words, facts) {
  const node = control("div", `gnb-spot ${kind}`, words);
  node.setAttribute("role", "gridcell");
  if (facts.unavailable) node.setAttribute("aria-disabled", "true");
  return { index: -1, inside: [], figures: "", ...facts, words, node };
}

function drawPlace(place, row) {
  const cell = cellOf(`gnb-part gnb-${place.kind} gnb-col${place.column}`, place.words, { ...place, row });
  if (MARKS.includes(place.kind)) cell.node.append(make("span", "gnb-bar"));
  else if (place.kind === "full_layer") cell.node.append(make("span", "gnb-name", place.label));
  else {
    cell.beside = make("span", "gnb-figures", place.figures);
    cell.node.append(shortening(place.label), cell.beside);
  }
  return cell;
}

/** What opens a row, and says which units are inside. */
function drawOpener(row, places) {
  const counts = places.flatMap(place => place.inside.filter(each => each.count).map(each => `${each.count} ${each.name}s`));
  const last = places.find(place => place.kind === "full_layer") ?? places[0];
  const words = [`inside ${last.name}`, ...counts].join(", ");
  const cell = cellOf("gnb-opener", words, { name: "", row, column: -1, opener: true });
  cell.node.setAttribute("role", "rowheader");
  cell.node.setAttribute("aria-expanded", "false");
  return cell;
}

function drawRow(row, index) {
  const line = make("div", row.layer === null ? "gnb-row gnb-outside" : "gnb-row");
  line.setAttribute("role", "row");
  const cells = row.places.map(place => drawPlace(place, index));
  const opener = row.places.some(place => place.inside.length) ? [drawOpener(index, row.places)] : [];
  for (const cell of cells) {
    if (WIDE.includes(cell.column) && cell.kind !== "rotary_emb") line.append(make("i", `gnb-pipe gnb-col${cell.column}`));
  }
  line.append(...[...opener, ...cells].map(cell => cell.node));
  if (row.layer === null && MARKS.includes(cells[0].kind)) line.append(aside(cells[0].name));
  return { line, opener: opener[0], cells, units: [], stack: row.stack };
}

/** The name beside a mark that has the row to itself. */
function aside(name) {
  const node = shortening(name);
  node.classList.add("gnb-aside");
  node.setAttribute("aria-hidden", "true");
  return node;
}

/** `attention_3.head_0`, … */
function numbered(part, unit, count) {
  return Array.from({ length: count }, (_, i) => `${part}.${unit}_${i}`);
}

/** The cells inside one part, one by one: units by number, points by name. */
function unitsOf(owner) {
  const named = ({ name, count }) => (count ? numbered(owner.name, name, count) : [`${owner.name}.${name}`]);
  const units = owner.inside.flatMap(each => named(each).map(name => ({ ...each, name })));
  return units.map((unit, index) => {
    const { row, column } = owner;
    const cell = cellOf("gnb-unit", `${unit.name}: ${unit.words}`, { ...unit, owner, row, column, index });
    cell.node.textContent = unit.count ? unit.name.split("_").pop() : unit.name.split(".").pop();
    return cell;
  });
}

/** The line below a row: what is inside its parts, on each side of the stream. */
function drawInside(row) {
  const line = make("div", "gnb-inner");
  line.setAttribute("role", "row");
  const sides = ["left", "middle", "right"].map(side => make("div", `gnb-side gnb-side-${side}`));
  const units = row.cells.flatMap(cell => {
    const own = unitsOf(cell);
    const side = sides[1 + Math.sign(cell.column - RESIDUAL)];
    for (const [start, unit] of own.entries()) {
      if (start === 0 || (!unit.count && own[start - 1].count)) side.append(make("div", "gnb-run"));
      side.lastChild.append(unit.node);
    }
    return own;
  });
  line.append(...sides);
  return { line, units };
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

/** The whole drawing. `cells()` are those there now, `toggle(row, open)` opens or closes and says whether it did. */
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
  const byNode = new Map(drawn.flatMap(row => [row.opener, ...row.cells]).filter(Boolean).map(cell => [cell.node, cell]));
  const toggle = (index, open) => {
    const row = drawn[index];
    if (!row.opener || open === row.units.length > 0) return false;
    row.opener.node.setAttribute("aria-expanded", String(open));
    if (open) {
      const { line, units } = drawInside(row);
      row.line.after(line);
      row.units = units;
      for (const cell of units) byNode.set(cell.node, cell);
    } else {
      row.line.nextSibling.remove();
      for (const cell of row.units) byNode.delete(cell.node);
      row.units = [];
    }
    return true;
  };
  const at = node => byNode.get(node?.closest?.(".gnb-spot"));
  return { grid, drawn, toggle, at, cells: () => drawn.flatMap(row => [...row.cells, ...row.units]), tall: layers > ROOMY };
}
