// The logit lens: layers (output on top) by positions, as a grid with one tab stop. Only the columns in sight are there.

const WIDTH = 88; // pixels of a column; lens.css has the same
const BESIDE = 2; // columns drawn beyond the edges
const SHADES = {
  probability: ["probability of the likeliest token", 1],
  target: ["probability of the followed token", 1],
  entropy: ["entropy, nats", 0],
  divergence: ["KL from the model's answer, nats", 0],
};
const MEASURES = ["entropy", "divergence", "target", "rank"];
const STEPS = {
  ArrowUp: [1, 0], ArrowDown: [-1, 0], ArrowLeft: [0, -1], ArrowRight: [0, 1],
  PageUp: [8, 0], PageDown: [-8, 0], Home: [0, -Infinity], End: [0, Infinity],
};

/** The answer as it came: what stands at a layer and a position. */
function answered(model) {
  const tokens = model.get("_tokens"), layers = model.get("_layers"), texts = model.get("_texts");
  const top = model.get("_top");
  const guesses = numbers(model.get("_guesses"), Int32Array), shares = numbers(model.get("_shares"));
  const measures = numbers(model.get("_measures"));
  const at = (layer, position) => {
    const cell = layer * tokens.length + position;
    const best = Array.from({ length: top }, (_, i) => {
      const number = guesses[cell * top + i];
      return { number, text: texts[number], share: shares[cell * top + i] };
    });
    const measured = MEASURES.map((name, i) => [name, measures[cell * MEASURES.length + i]]);
    return { best, probability: best[0].share, ...Object.fromEntries(measured) };
  };
  return { tokens, layers, at, target: model.get("_following") };
}

/** The largest number a shade shows. */
function largest(data, shade) {
  if (SHADES[shade][1]) return SHADES[shade][1];
  let most = 0;
  for (let layer = 0; layer < data.layers.length; layer++) {
    for (let i = 0; i < data.tokens.length; i++) most = Math.max(most, data.at(layer, i)[shade]);
  }
  return most || 1;
}

/** The table. `tell(layer, position)` is called for what has the focus or is under the pointer, null for nothing. */
function table(tell, follow) {
  const scroll = make("div", "gnb-lens-window");
  const grid = make("div", "gnb-lens");
  grid.setAttribute("role", "grid");
  grid.setAttribute("aria-label", "Likeliest token by layer, output on top, and position");
  scroll.append(grid);
  let data, shade, most, stop = [0, 0], shown = "";
  const cells = new Map();
  const key = (layer, position) => `${layer},${position}`;

  const cell = (layer, position) => {
    const found = data.at(layer, position), best = found.best[0];
    const words = `${data.layers[layer]} at ${spelt(data.tokens[position])}: ${spelt(best.text)} ${figure(best.share)}`;
    const node = control("div", "gnb-guess", words);
    node.setAttribute("role", "gridcell");
    node.setAttribute("aria-colindex", position + 2);
    node.dataset.place = key(layer, position);
    node.style.gridColumn = position + 2;
    node.append(shortening(spelt(best.text)));
    paint(node, found[shade] / most);
    if (best.text === data.target) node.classList.add("gnb-followed");
    if (layer === stop[0] && position === stop[1]) node.tabIndex = 0;
    cells.set(key(layer, position), node);
    return node;
  };
  const line = (name, index) => {
    const row = make("div", "gnb-lens-row");
    row.setAttribute("role", "row");
    const head = make("div", "gnb-lens-name");
    head.setAttribute("role", "rowheader");
    called(head, name);
    row.append(head);
    row.style.gridTemplateColumns = `var(--gnb-names) repeat(${data.tokens.length}, ${WIDTH}px)`;
    return { row, index };
  };
  const read = (token, position) => {
    const node = make("div", "gnb-lens-token");
    node.setAttribute("role", "columnheader");
    node.setAttribute("aria-colindex", position + 2);
    node.style.gridColumn = position + 2;
    called(node, spelt(token));
    return node;
  };
  const span = () => {
    const first = Math.floor(scroll.scrollLeft / WIDTH) - BESIDE;
    const count = Math.ceil((scroll.clientWidth || 800) / WIDTH) + 2 * BESIDE;
    return [Math.max(0, first), Math.min(data.tokens.length, first + count)];
  };
  let lines = [], foot;
  const fill = () => {
    const [first, last] = span();
    if (shown === `${first},${last}`) return;
    shown = `${first},${last}`;
    const kept = cells.get(key(...stop));
    const had = kept && kept === document.activeElement;
    cells.clear();
    const places = Array.from({ length: last - first }, (_, i) => first + i);
    if (!places.includes(stop[1])) places.push(stop[1]); // the tab stop is always there
    for (const { row, index } of lines) row.replaceChildren(row.firstChild, ...places.map(i => cell(index, i)));
    foot.replaceChildren(foot.firstChild, ...places.map(i => read(data.tokens[i], i)));
    if (had) cells.get(key(...stop))?.focus({ preventScroll: true });
  };
  const draw = (next, how) => {
    const focused = grid.contains(document.activeElement);
    [data, shade, shown] = [next, how, ""];
    most = largest(data, shade);
    stop = [Math.min(stop[0], data.layers.length - 1), Math.min(stop[1], data.tokens.length - 1)];
    lines = data.layers.map(line).reverse();
    foot = line("reads", -1).row;
    scroll.style.maxWidth = "none";
    scroll.style.maxWidth = `${Math.max(2, Math.floor(scroll.clientWidth / WIDTH)) * WIDTH}px`; // whole columns
    grid.setAttribute("aria-colcount", data.tokens.length + 1);
    grid.replaceChildren(...lines.map(each => each.row), foot);
    fill();
    if (focused) cells.get(key(...stop)).focus({ preventScroll: true });
    return most;
  };
  const stand = ([layer, position]) => {
    const old = cells.get(key(...stop));
    if (old) old.tabIndex = -1;
    stop = [layer, position];
    const node = cells.get(key(layer, position));
    if (node) node.tabIndex = 0;
  };
  const reach = position => {
    const left = position * WIDTH, room = scroll.clientWidth - grid.querySelector(".gnb-lens-name").offsetWidth;
    if (left < scroll.scrollLeft) scroll.scrollLeft = left;
    if (left + WIDTH > scroll.scrollLeft + room) scroll.scrollLeft = left + WIDTH - room;
    shown = "";
    fill();
  };
  const placeOf = event => event.target.closest(".gnb-guess")?.dataset.place.split(",").map(Number);
  scroll.addEventListener("scroll", () => data && fill());
  grid.addEventListener("focusin", event => { const at = placeOf(event); if (at) { stand(at); tell(at); } });
  grid.addEventListener("pointerover", event => { const at = placeOf(event); if (at) tell(at); });
  grid.addEventListener("pointerleave", () => tell(stop));
  grid.addEventListener("click", event => {
    const at = placeOf(event);
    if (!at) return;
    cells.get(key(...at)).focus({ preventScroll: true });
    follow(data.at(...at).best[0]);
  });
  grid.addEventListener("keydown", event => {
    const step = STEPS[event.key];
    if (!step && ![" ", "Enter"].includes(event.key)) return;
    event.preventDefault();
    event.stopPropagation();
    if (!step) return follow(data.at(...stop).best[0]);
    const within = (value, end) => Math.max(0, Math.min(end - 1, value));
    stand([within(stop[0] + step[0], data.layers.length), within(stop[1] + step[1], data.tokens.length)]);
    reach(stop[1]);
    cells.get(key(...stop)).focus({ preventScroll: true });
    cells.get(key(...stop)).scrollIntoView?.({ block: "nearest", inline: "nearest" });
  });
  return { node: scroll, draw, at: () => stop, end: () => { stand([data.layers.length - 1, data.tokens.length - 1]); reach(stop[1]); } };
}

/** What stands in one place: the likeliest tokens with bars, and the measures in a line. */
function details(follow) {
  const node = make("div", "gnb-details");
  const said = make("p", "gnb-words"), list = make("div", "gnb-best"), more = make("p", "gnb-words");
  said.setAttribute("role", "status");
  node.append(said, list, more);
  const show = (data, [layer, position]) => {
    const found = data.at(layer, position);
    said.textContent = `${data.layers[layer]}, having read ${spelt(data.tokens[position])} at ${position}`;
    bars(list, found.best.map(one => ({ ...one, text: spelt(one.text), label: `Follow ${spelt(one.text)}` })), follow);
    more.textContent = `entropy ${figure(found.entropy)} nats, KL from the model's answer ${figure(found.divergence)} nats; `
      + `${spelt(data.target)} is number ${found.rank} with ${figure(found.target)}`;
  };
  return { node, show };
}

function render({ model, el }) {
  const { body, close, alive } = frame({ model, el }, "gnb-lenses", `Logit lens of ${model.get("_title")}`);
  const prompt = box(model, "prompt", "Prompt", "Type a prompt and press Enter");
  const target = box(model, "followed", "Token to follow", "the model's answer");
  const ask = make("div", "gnb-ask"), choose = make("div", "gnb-line");
  ask.append(prompt.field, button("Read", "Read the prompt", prompt.send));
  const shade = control("select", "gnb-choice", "Shade by");
  shade.tabIndex = 0;
  shade.append(...Object.keys(SHADES).map(name => {
    const option = make("option", "", name);
    option.value = name;
    return option;
  }));
  choose.append(labelled("Shade", shade), labelled("Follow", target.field));
  const empty = make("p", "gnb-empty", "Type a prompt and press Enter: each row is what the model would say after that layer.");
  const scale = make("p", "gnb-legend");
  let data = answered(model);
  const follow = best => alive() && model.send({ kind: "follow", token: best.number });
  const beside = details(follow);
  const grid = table(at => beside.show(data, at), follow);
  body.append(heading(model), ask, choose, empty, grid.node, scale, beside.node);

  const draw = fresh => {
    data = answered(model);
    const there = data.layers.length > 0;
    empty.hidden = there;
    for (const node of [grid.node, scale, beside.node, choose]) node.hidden = !there;
    if (!there) return;
    const most = grid.draw(data, shade.value);
    if (fresh) grid.end();
    legend(scale, SHADES[shade.value][0], "0", most === 1 ? "1" : figure(most));
    target.field.placeholder = spelt(data.target);
    beside.show(data, grid.at());
  };
  let known = "";
  const answer = () => {
    const now = model.get("_tokens").join("\n");
    draw(now !== known);
    known = now;
  };
  model.on("change:_measures", answer);
  shade.addEventListener("change", () => draw(false));
  requestAnimationFrame(answer);
  return close;
}

export default { render };
