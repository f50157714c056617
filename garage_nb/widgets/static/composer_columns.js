// Models side by side: a column each, output on top; the first is the result. Of a cell: its place, words and verdict.

const BRIEF = { attention: "attn", cross_attention: "cross", mixer: "mix", ffn: "ffn" }; // where a column is narrow

/** A cell of a column. `from` says whose part stands there where it is not the place's own. */
function cellOf(data, column, line) {
  const words = data.from ? `${data.words}; now ${data.from}` : data.words;
  const node = control("div", `gnb-c-cell gnb-c-${data.kind}`, words);
  node.setAttribute("role", "gridcell");
  node.classList.toggle("gnb-c-changed", data.changed);
  if (data.unavailable) node.setAttribute("aria-disabled", "true");
  const tag = make("span", "gnb-c-tag", data.changed ? data.from.split(" of ").pop() : "");
  node.append(data.kind === "full_layer" ? make("span", "gnb-name", data.label) : shortening(data.label));
  if (BRIEF[data.kind]) node.append(make("span", "gnb-c-brief", BRIEF[data.kind]), make("span", "gnb-c-number", /_\d+$/.exec(data.label)?.[0]));
  node.append(tag);
  return { ...data, words, node, tag, said: tag.textContent, column, line };
}

/** Between two layers, there while a layer is held. */
function gapOf(number, column, line) {
  const words = number ? `between layer_${number - 1} and what is above it` : "below layer_0";
  const node = control("div", "gnb-c-cell gnb-c-gap", words);
  node.setAttribute("role", "gridcell");
  const tag = make("span", "gnb-c-tag");
  node.append(tag);
  return { name: `gap_${number}`, kind: "gap", side: 0, words, node, tag, said: "", column, line };
}

/** The rows of a column from the output down, with a gap above every block and below the last where parts are dropped. */
function linesFor(rows, gaps) {
  const lines = [];
  let before = null;
  for (const row of [...rows].reverse()) {
    if (gaps && row.layer !== before && before !== null && row.layer === null) lines.push({ gap: before });
    if (gaps && row.layer !== before && row.layer !== null) lines.push({ gap: row.layer + 1 });
    lines.push(row);
    before = row.layer;
  }
  if (gaps && before !== null) lines.push({ gap: before });
  return lines;
}

function drawLine(row, column, line) {
  const cells = row.gap === undefined ? row.cells.map(cell => cellOf(cell, column, line)) : [gapOf(row.gap, column, line)];
  const kind = row.gap !== undefined ? "gnb-c-between" : row.layer === null ? "gnb-c-row gnb-c-outside" : "gnb-c-row";
  const node = make("div", kind);
  node.setAttribute("role", "row");
  for (const cell of cells) cell.node.style.gridColumn = row.layer === null || row.gap !== undefined ? "1 / -1" : String(cell.side + 2);
  node.append(...cells.map(cell => cell.node));
  return { node, cells };
}

/** Whose column it is. */
function drawHead({ name, title, about }, dismiss) {
  const head = make("div", "gnb-c-head"), who = shortening(name || "result");
  who.classList.add("gnb-c-who");
  head.title = `${title}: ${about}`;
  head.append(who, shortening(name && title !== name ? title : ""));
  if (name) head.append(button("×", `Take donor ${name} off the bench`, dismiss));
  return head;
}

/** One model. */
function drawColumn(data, index, dismiss) {
  const node = make("div", "gnb-c-column");
  const head = drawHead(data, dismiss);
  const grid = make("div", "gnb-c-model");
  grid.setAttribute("role", "grid");
  grid.setAttribute("aria-label", data.name ? `Donor ${data.name}, ${data.title}` : "Result, output on top");
  const stacks = data.rows.some(row => row.stack);
  const lines = linesFor(data.rows, !data.name && !stacks).map((row, line) => drawLine(row, index, line));
  grid.append(...lines.map(line => line.node));
  node.append(head, grid);
  return { data, node, head, grid, lines: lines.map(line => line.cells), cells: lines.flatMap(line => line.cells) };
}

/** Says on a cell how a part that is held would stand there; without a verdict, what stands there now. */
function mark(cell, [verdict, words] = []) {
  const short = verdict === "refused" ? "no" : verdict === "fits" ? "fits" : "adapt";
  cell.tag.textContent = verdict ? short : cell.said;
  cell.verdict = verdict;
  cell.node.classList.toggle("gnb-c-fits", verdict === "fits");
  cell.node.classList.toggle("gnb-c-adapts", Boolean(verdict) && short === "adapt");
  cell.node.classList.toggle("gnb-c-refused", verdict === "refused");
  cell.node.title = verdict ? `${cell.kind === "gap" ? cell.words : cell.name}: ${words}` : cell.words;
  cell.node.setAttribute("aria-label", cell.node.title);
}
