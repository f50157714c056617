// The hand: picks a part up, shows where it could go, drops it or lets it go. By drag, by click and by keyboard alike.

const FAR = 5; // px that a pointer moves before it drags
const LEAP = 8; // lines
const WAYS = {
  ArrowUp: [-1, 0], ArrowDown: [1, 0], ArrowLeft: [0, -1], ArrowRight: [0, 1],
  PageUp: [-LEAP, 0], PageDown: [LEAP, 0], Home: [-Infinity, 0], End: [Infinity, 0],
};

const middle = ({ node }) => {
  const box = node.getBoundingClientRect();
  return [box.left + box.width / 2, box.top + box.height / 2];
};

/** The cell a step away: by line within a column, then in the next column at about the same height. */
function stepFrom(columns, from, [down, right]) {
  const lines = columns[from.column].lines.filter(line => line[0].kind !== "gap");
  const place = lines.findIndex(line => line.includes(from));
  const nearest = (cells, axis) => cells.reduce((best, cell) =>
    Math.abs(middle(cell)[axis] - middle(from)[axis]) < Math.abs(middle(best)[axis] - middle(from)[axis]) ? cell : best);
  if (down) return nearest(lines[Math.max(0, Math.min(lines.length - 1, place + down))], 0);
  const beside = lines[place][lines[place].indexOf(from) + right];
  const next = columns[from.column + right];
  if (beside || !next) return beside ?? from;
  const ends = next.lines.filter(line => line[0].kind !== "gap").map(line => line.at(right > 0 ? 0 : -1));
  return nearest(ends, 1);
}

/** The cells of all columns, and the one tab stop among them. */
function standing(stage) {
  let [columns, stop] = [[], null];
  const cells = () => columns.flatMap(column => column.cells);
  const at = node => cells().find(cell => cell.node === node?.closest?.(".gnb-c-cell"));
  const whose = cell => columns[cell.column].data.name;
  const stand = cell => {
    if (stop) stop.node.tabIndex = -1;
    stop = cell;
    stop.node.tabIndex = 0;
  };
  const focus = cell => {
    stand(cell);
    cell.node.focus({ preventScroll: true });
    cell.node.scrollIntoView({ block: "nearest", inline: "nearest" });
  };
  /** Columns drawn anew: the focus goes to `landing`, or stays with its name. */
  const lay = (drawn, landing) => {
    const focused = stage.contains(document.activeElement) ? at(document.activeElement) : null;
    const name = landing || (focused ?? stop)?.name;
    columns = drawn;
    const own = columns[(focused ?? stop)?.column ?? 0] ?? columns[0];
    stand(own.cells.find(cell => cell.name === name) ?? own.cells.find(cell => cell.kind !== "gap"));
    return () => { if (focused) focus(stop); };
  };
  return { cells, at, whose, stand, focus, lay, columns: () => columns, stop: () => stop };
}

/** The line that says what is held, with the buttons that let it go and take it out. */
function holdLine(release, takeOut) {
  const line = make("div", "gnb-line gnb-c-hold");
  const said = make("span", "gnb-c-said");
  said.setAttribute("role", "status");
  const out = button("Take out", "Take this layer out of the result", takeOut);
  line.append(said, out, button("Let go", "Let go of the part that is held", () => release(true)));
  return { line, said, out };
}

/** What is held and where it could go: pick, drop and let go, as the kernel says. */
function holding(model, stage, alive, all) {
  let [held, landing] = [null, ""];
  const { cells, whose, focus } = all;
  const { line, said, out } = holdLine(back => release(back), () => takeOut(held.cell));
  const takes = cell => !cell.unavailable && cell.kind !== "gap" && (whose(cell) || cell.kind === "full_layer");
  const called = ({ cell }) => `${cell.name} of ${whose(cell) || "the result"}`;
  const targets = () => (held ? all.columns()[0].cells.filter(cell => cell.verdict) : []);
  const arrive = () => {
    const fit = targets().filter(cell => cell.verdict !== "refused");
    const first = fit.find(cell => cell.name === held.cell.name) ?? fit[0] ?? targets()[0];
    held.byKey = false;
    if (first) focus(first);
  };
  const show = () => {
    const { donor, part, places = {} } = model.get("_offers");
    const known = Boolean(held) && donor === whose(held.cell) && part === held.cell.name;
    for (const cell of all.columns()[0]?.cells ?? []) mark(cell, known ? places[cell.name] : []);
    stage.classList.toggle("gnb-c-open", known && held.cell.kind === "full_layer");
    stage.classList.toggle("gnb-c-busy", Boolean(held));
    line.classList.toggle("gnb-c-holds", Boolean(held));
    out.hidden = !held || Boolean(whose(held.cell));
    if (!held) return;
    const found = Object.values(places), good = found.filter(([verdict]) => verdict !== "refused").length;
    const many = good ? `${good} of ${found.length} places take it` : "no place takes it";
    said.textContent = `Holding ${called(held)}${known ? `: ${many}. ${good ? "Arrows choose, Enter drops, " : ""}Escape lets go` : ""}.`;
    if (known && held.byKey) arrive();
  };
  const pick = (cell, byKey) => {
    if (!alive() || !takes(cell)) return;
    release(false);
    held = { cell, byKey };
    cell.node.classList.add("gnb-c-held");
    model.send({ kind: "hold", donor: whose(cell), part: cell.name });
    show();
  };
  const release = back => {
    if (!held) return;
    const { cell } = held;
    cell.node.classList.remove("gnb-c-held");
    held = null;
    said.textContent = "";
    show();
    if (back && cell.node.isConnected) focus(cell);
  };
  /** What is refused is sent too: the kernel says why. By keyboard it stays in the hand then. */
  const drop = (cell, stays) => {
    const { verdict, name } = cell, what = called(held), place = name.replace(/^gap/, "layer");
    model.send({ kind: "place", donor: whose(held.cell), part: held.cell.name, at: name });
    if (verdict === "refused" && stays) return;
    const fits = Boolean(verdict) && verdict !== "refused";
    landing = fits && stage.contains(document.activeElement) ? place : "";
    release(false);
    if (fits) said.textContent = `${what} goes to ${place}.`;
  };
  const takeOut = cell => {
    if (!alive() || whose(cell) || cell.kind !== "full_layer") return;
    release(false);
    landing = cell.name;
    model.send({ kind: "remove", layer: Number(cell.label) });
  };
  /** A click, or Enter: what it does depends on what is held. */
  const act = (cell, byKey) => {
    if (held && cell === held.cell) release(true);
    else if (held && cell.verdict) drop(cell, byKey);
    else pick(cell, byKey);
  };
  const lay = drawn => {
    const refocus = all.lay(drawn, landing);
    if (held && !cells().includes(held.cell)) held = null;
    landing = "";
    show();
    return refocus;
  };
  line.addEventListener("keydown", event => {
    if (event.key !== "Escape" || !held) return;
    event.stopPropagation();
    release(true);
  });
  model.on("change:_offers", show);
  return { line, lay, pick, release, drop, takeOut, act, targets, takes, called: () => called(held), holds: () => held !== null };
}

/** Keys. Arrows go from place to place while something is held. */
function pressing(stage, all, hand) {
  const { at, focus } = all;
  const walk = (cell, [down, right]) => {
    const list = hand.targets(), place = list.indexOf(cell);
    if (!list.length) focus(stepFrom(all.columns(), cell, [down, right]));
    else if (down) focus(list[Math.max(0, Math.min(list.length - 1, place < 0 ? 0 : place + down))]);
  };
  stage.addEventListener("keydown", event => {
    const cell = at(event.target);
    if (!cell || event.ctrlKey || event.metaKey || event.altKey) return;
    if (event.key in WAYS) walk(cell, WAYS[event.key]);
    else if (event.key === "Enter" || event.key === " ") hand.act(cell, true);
    else if (event.key === "Escape" && hand.holds()) hand.release(true);
    else if (event.key === "Delete" || event.key === "Backspace") hand.takeOut(cell);
    else return;
    event.preventDefault();
    event.stopPropagation();
  });
}

/** A part under the pointer. Returns whether a drag has just ended: the click that follows belongs to it. */
function carrying(stage, all, hand, tell) {
  let drag = null;
  const ghost = make("div", "gnb-c-ghost");
  ghost.setAttribute("aria-hidden", "true");
  const under = event => all.at(document.elementFromPoint(event.clientX, event.clientY));
  const begin = event => {
    hand.pick(drag.cell, false);
    if (!hand.holds()) return;
    drag.moved = true;
    stage.setPointerCapture(event.pointerId);
    ghost.textContent = hand.called();
    hand.line.after(ghost);
  };
  const hover = cell => {
    if (drag.over === cell) return;
    drag.over?.node.classList.remove("gnb-c-over");
    cell?.node.classList.toggle("gnb-c-over", Boolean(cell.verdict));
    drag.over = cell;
    tell(cell);
  };
  stage.addEventListener("pointerdown", event => {
    const cell = all.at(event.target);
    const drags = cell && hand.takes(cell) && !event.button && event.pointerType !== "touch" && !hand.holds();
    drag = drags ? { cell, x: event.clientX, y: event.clientY } : null;
  });
  stage.addEventListener("pointermove", event => {
    if (!drag || !event.buttons) return;
    if (!drag.moved && Math.hypot(event.clientX - drag.x, event.clientY - drag.y) >= FAR) begin(event);
    if (!drag.moved) return;
    const home = hand.line.parentElement.getBoundingClientRect();
    ghost.style.left = `${event.clientX - home.left}px`;
    ghost.style.top = `${event.clientY - home.top}px`;
    hover(under(event));
  });
  const end = event => {
    if (!drag?.moved) return;
    const cell = under(event), { cell: from } = drag;
    hover(null);
    ghost.remove();
    if (event.type === "pointerup" && hand.holds() && cell?.column === 0 && cell !== from) hand.drop(cell, false);
    hand.release(false);
    setTimeout(() => { drag = null; });
  };
  stage.addEventListener("pointerup", end);
  stage.addEventListener("pointercancel", end);
  return () => Boolean(drag?.moved);
}

/** All of it. */
function hand(model, stage, alive, tell) {
  const all = standing(stage), own = holding(model, stage, alive, all);
  const wasDragged = carrying(stage, all, own, tell);
  pressing(stage, all, own);
  stage.addEventListener("focusin", event => {
    const cell = all.at(event.target);
    if (cell) all.stand(cell);
    tell(cell);
  });
  stage.addEventListener("focusout", () => tell(null));
  stage.addEventListener("pointerover", event => tell(all.at(event.target) ?? all.stop()));
  stage.addEventListener("click", event => {
    const cell = all.at(event.target);
    if (!cell || wasDragged()) return;
    all.focus(cell);
    own.act(cell, false);
  });
  return own;
}
