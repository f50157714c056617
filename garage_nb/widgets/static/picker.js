// The layer picker: the machine as a grid with one tab stop, and a search box beside it.

const HINT = "Click, drag or arrow keys. Shift extends, Ctrl or Cmd adds, + opens, / searches.";
const EXAMPLES = "0,6,-1   attention_*   0:12:2   attention_3.head_*";

/** `attention_0, attention_1 … attention_11`: a list that names its ends. */
function brief(names) {
  return names.length <= 4 ? names.join(", ") : `${names.slice(0, 2).join(", ")} … ${names[names.length - 1]}`;
}

/** Names are sent on Enter; the kernel says what they stand for. */
function searching(model, root) {
  const box = control("input", "gnb-field", "Pick by name: a layer, a range, a wildcard, a head");
  box.tabIndex = 0;
  box.type = "search";
  box.placeholder = EXAMPLES;
  box.autocomplete = "off";
  box.addEventListener("keydown", event => {
    if (event.key === "Enter") model.send({ kind: "pick", selector: box.value });
    if (event.key !== "Escape") event.stopPropagation();
  });
  root.addEventListener("keydown", event => {
    if (event.key !== "/" || event.ctrlKey || event.metaKey || event.altKey) return;
    event.preventDefault();
    box.focus();
    box.select();
  });
  return labelled("Pick", box);
}

/** What a click or key makes of the value. `how`: only, toggle, or range from the part picked last. */
function picking(model, plan) {
  let anchor = null;
  const place = new Map([...plan.drawn].reverse().flatMap(row => row.cells).map((cell, i) => [cell.name, i]));
  const rank = name => place.get(name) ?? place.get(name.split(".")[0]) ?? -1;
  const send = names => put(model, "value", [...names].sort((a, b) => rank(a) - rank(b)));
  const span = (from, to, base = []) => {
    const usable = between(plan.cells(), from, to).filter(each => !each.unavailable);
    return new Set([...base, ...usable.map(each => each.name)]);
  };
  const result = (cell, how, old) => {
    const multiple = model.get("multiple");
    if (how === "range" && multiple) return span(anchor, cell);
    if (how === "toggle" && multiple) return new Set(old.delete(cell.name) ? old : [...old, cell.name]);
    return new Set(old.size === 1 && old.has(cell.name) ? [] : [cell.name]);
  };
  const pick = (cell, how, from = cell) => {
    if (how === "range" && !anchor?.node.isConnected) anchor = from;
    const reaches = how === "range" && model.get("multiple") && anchor !== cell;
    if (cell.opener || from.opener || (cell.unavailable && !reaches)) return;
    send(result(cell, how, new Set(model.get("value"))));
    if (how !== "range") anchor = cell;
  };
  const drop = (from, names) => { anchor = from; send(names); };
  return { pick, span, drop };
}

/** Brings the first of these cells into the machine's window; never scrolls the notebook. */
function reveal(grid, cells) {
  const top = cell => cell.node.closest(".gnb-row, .gnb-inner").offsetTop;
  const visible = cell => top(cell) >= grid.scrollTop && top(cell) < grid.scrollTop + grid.clientHeight;
  if (cells.length && !cells.some(visible)) grid.scrollTop = top(cells[0]) - grid.clientHeight / 2;
}

/** The line that says in words what is under the pointer, or else has the focus. */
function reading({ grid, at }) {
  const line = make("p", "gnb-words", HINT);
  let focused = null;
  const say = cell => { line.textContent = (cell ?? focused)?.node.getAttribute("aria-label") ?? HINT; };
  grid.addEventListener("focusin", event => say(focused = at(event.target) ?? null));
  grid.addEventListener("focusout", () => say(focused = null));
  grid.addEventListener("pointerover", event => say(at(event.target)));
  grid.addEventListener("pointerleave", () => say(null));
  return line;
}

function render({ model, el }) {
  const { root, body, close, alive } = frame({ model, el }, "gnb-picker", `Layers of ${model.get("_title")}`);
  const [title, key] = [heading(model), legend(model)];
  const plan = machine(model);
  const { grid, drawn } = plan;
  const parted = drawn.flatMap(row => row.cells);
  const map = overview(plan);
  const mark = painting(plan, model);
  const show = names => {
    mark(names);
    if (plan.tall) map.paint();
  };
  const hand = picking(model, plan);
  const open = (row, wish) => {
    const did = plan.toggle(row, wish);
    if (did) show(model.get("value"));
    return did;
  };
  const wasDragged = dragging(model, plan, hand, show);
  const stand = walking(plan, (...how) => alive() && hand.pick(...how), open, wasDragged);
  const status = make("p", "gnb-status");
  status.setAttribute("role", "status");
  const stage = make("div", "gnb-stage");
  stage.append(grid, ...(plan.tall ? [map.rail] : []));
  body.append(title.line, searching(model, root), key.line, stage, reading(plan), status);

  const picked = () => {
    const parts = new Set(model.get("value").flatMap(name => [name, name.split(".")[0]]));
    return parted.filter(cell => parts.has(cell.name));
  };
  const paint = () => {
    const value = model.get("value");
    show(value);
    status.textContent = value.length ? `${value.length} picked: ${brief(value)}` : "Nothing picked.";
    status.title = value.join(",");
    title.paint();
    key.paint();
  };
  model.on("change:value", () => { paint(); reveal(grid, picked()); });
  model.on("change:changed", paint);
  model.on("change:_shade", paint);
  paint();
  stand(picked()[0] ?? parted[0]);
  requestAnimationFrame(() => {
    reveal(grid, picked());
    if (plan.tall) map.paint();
  });
  return close;
}

export default { render };
