// Attention: every head as a thumbnail, one of them large, and the tokens as a strip that lights what one looks at.

const LARGE = 300; // pixels of the large head, at most
const NAMES = 96 + 6; // pixels of the names beside it, and of what sticks out; attention.css has the first
const LETTERING = 15; // pixels that the name of a token needs
const BEST = 6;
const MOVES = { ArrowUp: -1, ArrowLeft: -1, ArrowDown: 1, ArrowRight: 1, Home: -Infinity, End: Infinity };

/** Names along a side, every so many that none touches the next. */
function names(tokens, size, side) {
  const node = make("div", `gnb-names gnb-names-${side}`);
  node.setAttribute("aria-hidden", "true");
  const every = Math.ceil(LETTERING / size), longest = Math.max(...tokens.map(token => token.length));
  if (side === "under") node.style.height = `${Math.min(84, 14 + 7 * longest)}px`;
  for (let i = 0; i < tokens.length; i += every) {
    const name = make("span", "gnb-axis");
    name.title = spelt(tokens[i]);
    name.append(shortening(spelt(tokens[i])));
    name.style[side === "left" ? "top" : "left"] = `${(i + 0.5) * size}px`;
    node.append(name);
  }
  return node;
}

/** One head, queries down and keys across. `tell(query, key)` follows pointer and arrows. */
function large(tell) {
  const node = make("div", "gnb-large");
  let queries = 0, size = 1, at = 0, mark = null;
  const picture = control("div", "gnb-map", "");
  picture.tabIndex = 0;
  picture.setAttribute("role", "img");
  const draw = (shown, weights) => {
    queries = shown.queries.length;
    const most = Math.max(queries, shown.keys.length);
    size = Math.min(28, LARGE / most, Math.max(120, node.parentElement.clientWidth - NAMES) / most);
    const canvas = make("canvas", "gnb-squares");
    heat(canvas, { rows: queries, columns: shown.keys.length, values: weights, low: 0, high: 1, stops: AMOUNTS });
    mark = make("div", "gnb-query");
    mark.style.height = `${size}px`;
    picture.style.width = `${size * shown.keys.length}px`;
    picture.style.height = `${size * queries}px`;
    const label = `${shown.head}: ${queries} tokens by the ${shown.keys.length} they look at`;
    picture.setAttribute("aria-label", label);
    picture.removeAttribute("title");
    picture.replaceChildren(canvas, mark);
    const focused = document.activeElement === picture;
    node.replaceChildren(names(shown.queries, size, "left"), picture, make("span"), names(shown.keys, size, "under"));
    if (focused) picture.focus({ preventScroll: true });
  };
  const stand = query => {
    at = query;
    if (mark) mark.style.top = `${query * size}px`;
  };
  picture.addEventListener("pointermove", event => {
    const edge = picture.getBoundingClientRect();
    const place = (value, end) => within(Math.floor(value / size), end);
    tell(place(event.clientY - edge.top, queries), Math.floor((event.clientX - edge.left) / size));
  });
  picture.addEventListener("keydown", event => {
    const move = step(event, MOVES);
    if (move !== null) tell(within(at + move, queries));
  });
  return { node, draw, stand };
}

/** Tokens in reading order. With `tell` they are the queries to choose from, one tab stop among them. */
function strip(label, tell) {
  const node = make("div", "gnb-strip");
  node.setAttribute("role", tell ? "listbox" : "list");
  node.setAttribute("aria-label", label);
  if (tell) node.setAttribute("aria-orientation", "horizontal");
  let cells = [], at = 0;
  const draw = tokens => {
    cells = tokens.map((token, i) => {
      const cell = tell ? control("span", "gnb-token", `${i}: ${spelt(token)}`) : make("span", "gnb-token");
      cell.setAttribute("role", tell ? "option" : "listitem");
      cell.append(shortening(spelt(token)));
      return cell;
    });
    node.replaceChildren(...cells);
  };
  const light = weights => cells.forEach((cell, i) => paint(cell, weights[i] ?? 0));
  const stand = query => {
    at = query;
    cells.forEach((cell, i) => {
      cell.setAttribute("aria-selected", String(i === query));
      cell.tabIndex = i === query ? 0 : -1;
    });
  };
  const indexOf = event => cells.indexOf(event.target.closest(".gnb-token"));
  for (const kind of tell ? ["pointerover", "focusin", "click"] : []) {
    node.addEventListener(kind, event => { if (indexOf(event) >= 0) tell(indexOf(event)); });
  }
  if (tell) node.addEventListener("keydown", event => {
    const move = step(event, MOVES);
    if (move === null) return;
    tell(within(at + move, cells.length));
    cells[at].focus();
  });
  return { node, draw, light, stand };
}

function render({ model, el }) {
  const { body, close, alive } = frame({ model, el }, "gnb-attention-view", `Attention of ${model.get("_title")}`);
  const prompt = box(model, "prompt", "Prompt", "Type a prompt and press Enter");
  const ask = make("div", "gnb-ask");
  ask.append(prompt.field, button("Read", "Read the prompt", prompt.send));
  const empty = make("p", "gnb-empty", "Type a prompt and press Enter: every head shows what its tokens look at.");
  const scale = make("p", "gnb-legend"), said = make("p", "gnb-words"), best = make("div", "gnb-best");
  legend(scale, "attention weight", "0", "1");
  said.setAttribute("role", "status");
  let shown = null, weights = null, query = 0;

  const tell = (at, key) => {
    if (!shown) return;
    query = at;
    const row = weights.subarray(at * shown.keys.length, (at + 1) * shown.keys.length);
    for (const part of [map, asks]) part.stand(at);
    (same() ? asks : looked).light(row);
    const most = [...row.keys()].sort((a, b) => row[b] - row[a]).slice(0, BEST);
    const named = i => `${spelt(shown.keys[i])} at ${i}`;
    bars(best, most.map(i => ({ text: named(i), share: row[i], label: `${named(i)}: ${figure(row[i])}` })));
    const one = key === undefined || key >= row.length ? "" : `; at ${named(key)} with ${figure(row[key])}`;
    said.textContent = `${shown.head}: ${spelt(shown.queries[at])} at ${at} looks at${one}`;
  };
  const same = () => shown.queries.join("\n") === shown.keys.join("\n");
  const heads = overview(model, name => {
    if (alive()) put(model, "head", name);
  });
  const map = large(tell), asks = strip("Tokens that look", tell), looked = strip("Tokens looked at");
  const beside = make("div", "gnb-beside"), right = make("div", "gnb-right");
  right.append(said, best);
  beside.append(map.node, right);
  body.append(heading(model), ask, empty, heads.node, scale, asks.node, looked.node, beside);

  const answer = () => {
    const next = model.get("_shown"), parts = model.get("_parts");
    empty.hidden = parts.length > 0;
    heads.node.hidden = scale.hidden = !parts.length;
    asks.node.hidden = beside.hidden = !next.head;
    looked.node.hidden = !next.head || next.queries.join("\n") === next.keys.join("\n");
    if (!next.head) return;
    const fresh = !shown || shown.queries.join("\n") !== next.queries.join("\n");
    [shown, weights] = [next, numbers(model.get("_weights"))];
    map.draw(shown, weights);
    if (fresh) asks.draw(shown.queries);
    looked.draw(shown.keys);
    tell(fresh ? shown.queries.length - 1 : query);
  };
  model.on("change:_shown", answer);
  model.on("change:_weights", answer);
  model.on("change:_parts", answer);
  requestAnimationFrame(() => { answer(); heads.show(); });
  return close;
}

export default { render };
