// Thumbnails: layers (output on top) × heads, a grid of cells with one tab stop over one canvas a row.

const TILE = [12, 56]; // pixels of a thumbnail
const GAP = 4;
const ASIDE = 112; // pixels of the names beside them; attention.css has the same
const STEPS = {
  ArrowUp: [1, 0], ArrowDown: [-1, 0], ArrowLeft: [0, -1], ArrowRight: [0, 1],
  PageUp: [8, 0], PageDown: [-8, 0], Home: [0, -Infinity], End: [0, Infinity],
};

function step(event, moves) {
  const move = moves[event.key];
  if (move === undefined) return null;
  event.preventDefault();
  event.stopPropagation();
  return move;
}

const within = (value, end) => Math.max(0, Math.min(end - 1, value));

/** The numbers of the heads under them, every so many that none touches the next. */
function numbered(heads, tile) {
  const line = make("div", "gnb-heads-row gnb-heads-numbers"), every = Math.ceil(24 / tile);
  line.setAttribute("aria-hidden", "true");
  line.append(make("span", "gnb-heads-name", "head"));
  for (let i = 0; i < heads; i++) {
    line.append(make("span", "", i % every ? "" : String(i)));
    line.lastChild.style.width = `${tile + GAP}px`;
  }
  return line;
}

/** One row of thumbnails on one canvas: all squares as they come, each head then as large as a tile. */
function tiles(heads, high, wide, tile, bytes) {
  const small = make("canvas"), canvas = make("canvas", "gnb-tiles"), sharp = globalThis.devicePixelRatio || 1;
  heat(small, { rows: heads * high, columns: wide, values: bytes, low: 0, high: 255, stops: AMOUNTS });
  canvas.width = heads * (tile + GAP) * sharp;
  canvas.height = tile * sharp;
  canvas.style.width = `${heads * (tile + GAP)}px`;
  canvas.style.height = `${tile}px`;
  const context = canvas.getContext("2d");
  context.imageSmoothingEnabled = false;
  for (let i = 0; i < heads; i++) {
    const left = (i * (tile + GAP) + GAP / 2) * sharp;
    context.drawImage(small, 0, i * high, wide, high, left, 0, tile * sharp, tile * sharp);
  }
  return canvas;
}

/** The thumbnails: a grid of cells with one tab stop over the canvas of each row. `pick` is called with a head's name. */
function overview(model, pick) {
  const scroll = make("div", "gnb-heads-window"), grid = make("div", "gnb-heads");
  grid.setAttribute("role", "grid");
  grid.setAttribute("aria-label", "Heads, output on top");
  scroll.append(grid);
  let rows = [], stop = null, built = "";
  const cellOf = (name, index, tile) => {
    const node = control("div", "gnb-tile", `${name}.head_${index}`);
    node.setAttribute("role", "gridcell");
    node.dataset.head = `${name}.head_${index}`;
    node.style.width = node.style.height = `${tile}px`;
    return node;
  };
  const rowOf = (name, heads, tile) => {
    const line = make("div", "gnb-heads-row"), head = make("div", "gnb-heads-name");
    line.setAttribute("role", "row");
    head.setAttribute("role", "rowheader");
    called(head, name);
    const cells = Array.from({ length: heads }, (_, index) => cellOf(name, index, tile));
    line.append(head, make("canvas"), ...cells);
    return { line, cells };
  };
  const show = () => {
    const parts = model.get("_parts"), bytes = numbers(model.get("_thumbnails"), Uint8Array);
    const most = Math.max(1, ...parts.map(part => part.size[0]));
    const room = (scroll.clientWidth || 660) - ASIDE - 8;
    const tile = Math.max(TILE[0], Math.min(TILE[1], Math.floor(room / most) - GAP));
    const shape = JSON.stringify([tile, ...parts.map(({ name, size }) => [name, size[0]])]);
    if (shape !== built) { // else only the pictures change, and the focus stays where it is
      built = shape;
      rows = parts.map(({ name, size }) => rowOf(name, size[0], tile));
      grid.replaceChildren(...rows.map(row => row.line).reverse(), numbered(most, tile));
    }
    let offset = 0;
    parts.forEach(({ size: [heads, high, wide] }, i) => {
      const squares = bytes.subarray(offset, offset += heads * high * wide);
      rows[i].line.children[1].replaceWith(tiles(heads, high, wide, tile, squares));
    });
    mark();
  };
  const stand = node => {
    if (stop) stop.tabIndex = -1;
    stop = node;
    if (stop) stop.tabIndex = 0;
  };
  const mark = () => {
    const cells = rows.flatMap(row => row.cells);
    for (const node of cells) node.setAttribute("aria-selected", String(node.dataset.head === model.get("head")));
    const chosen = cells.find(node => node.dataset.head === model.get("head"));
    if (!stop?.isConnected || document.activeElement !== stop) stand(chosen ?? cells[0]);
  };
  grid.addEventListener("focusin", event => stand(event.target.closest(".gnb-tile") ?? stop));
  grid.addEventListener("click", event => {
    const node = event.target.closest(".gnb-tile");
    if (!node) return;
    node.focus({ preventScroll: true });
    pick(node.dataset.head);
  });
  grid.addEventListener("keydown", event => {
    if ([" ", "Enter"].includes(event.key)) {
      event.preventDefault();
      event.stopPropagation();
      return pick(stop.dataset.head);
    }
    const move = step(event, STEPS);
    if (!move) return;
    const row = rows.findIndex(each => each.cells.includes(stop));
    const next = rows[within(row + move[0], rows.length)].cells;
    next[within(rows[row].cells.indexOf(stop) + move[1], next.length)].focus();
  });
  model.on("change:_thumbnails", show);
  model.on("change:head", mark);
  return { node: scroll, show };
}
