// The debate chamber: from bottom to top the stream is read, parts into lanes, runs on, is weighed and is one again.

const SVG = "http://www.w3.org/2000/svg";
const WORDS = 3; // likeliest tokens of each stream
const MOVES = { ArrowLeft: -1, ArrowUp: -1, ArrowRight: 1, ArrowDown: 1, Home: -Infinity, End: Infinity };
const END = "to the end";

/** A choice among some words. `to` makes a trait's value of a word, `from` a word of the value. */
function choice(model, trait, label, words, { to = word => word, from = value => value, said = word => word } = {}) {
  const node = control("select", "gnb-choice", label);
  node.tabIndex = 0;
  const show = () => {
    const now = String(from(model.get(trait))), all = words().map(String);
    node.replaceChildren(...(all.includes(now) ? all : [...all, now]).map(word => {
      const option = make("option", "", said(word));
      option.value = word;
      return option;
    }));
    node.value = now;
  };
  node.addEventListener("change", () => put(model, trait, to(node.value)));
  model.on(`change:${trait}`, show);
  show();
  return { node, show };
}

/** A whole number. What cannot be taken is put back. */
function count(model, trait, label, min, max) {
  const node = control("input", "gnb-field gnb-chamber-count", label);
  Object.assign(node, { type: "number", min, max, step: 1, tabIndex: 0 });
  const show = () => { node.value = model.get(trait); };
  node.addEventListener("change", () => {
    if (node.value !== "" && node.validity.valid) put(model, trait, Number(node.value));
    show();
  });
  model.on(`change:${trait}`, show);
  show();
  return node;
}

function loudness(model) {
  const slide = control("input", "gnb-slide gnb-chamber-slide", "Strength of the divergence"), said = make("output", "gnb-chamber-strength");
  Object.assign(slide, { type: "range", min: 0, max: 0.95, step: 0.05, tabIndex: 0 });
  const show = () => {
    if (Number(slide.value) !== model.get("strength")) slide.value = model.get("strength");
    said.textContent = model.get("strength").toFixed(2);
    slide.setAttribute("aria-valuetext", said.textContent);
  };
  slide.addEventListener("input", () => put(model, "strength", Number(slide.value)));
  model.on("change:strength", show);
  show();
  const label = labelled("strength", slide);
  label.append(said);
  return label;
}

/** Where, how far, how unlike, how they are joined, how many and by which seed. */
function settings(model) {
  const node = make("div", "gnb-line gnb-chamber-settings");
  const layers = Object.keys(model.get("_behind")), last = () => model.get("_behind")[model.get("at")] ?? 0;
  const far = choice(model, "blocks", "Blocks that run between parting and meeting",
    () => [END, ...Array.from({ length: last() + 1 }, (_, i) => i)],
    { to: word => (word === END ? null : Number(word)), from: value => value ?? END, said: word => (word === "0" ? "0: only noise" : word) });
  model.on("change:at", far.show);
  const others = [
    ["parts at", choice(model, "at", "Layer behind which the stream parts", () => layers).node],
    ["blocks", far.node],
    ["by", choice(model, "divergence", "Divergence", () => model.get("_divergences")).node],
    ["joined by", choice(model, "reconciliation", "Reconciliation", () => model.get("_reconciliations")).node],
    ["perspectives", choice(model, "perspectives", "How many perspectives", () => [2, 3, 4], { to: Number }).node],
    ["seed", count(model, "seed", "Seed of the first perspective", 0, 2 ** 31)],
    ["tokens", count(model, "steps", "Tokens to write", 1, 64)],
  ];
  node.append(...others.map(([text, one]) => labelled(text, one)));
  node.children[3].after(loudness(model));
  return node;
}

/** The tokens written, one tab stop among them, and buttons to step. `tell(step)` is called of the one chosen. */
function written(tell) {
  const node = make("div", "gnb-line gnb-chamber-steps"), list = make("div", "gnb-chamber-tokens");
  list.setAttribute("role", "listbox");
  list.setAttribute("aria-label", "Tokens written");
  list.setAttribute("aria-orientation", "horizontal");
  let cells = [], at = 0;
  const go = to => tell(Math.max(0, Math.min(cells.length - 1, to)));
  const back = button("‹", "The token before", () => go(at - 1)), next = button("›", "The next token", () => go(at + 1));
  node.append(back, list, next);
  const draw = steps => {
    const focused = list.contains(document.activeElement);
    cells = steps.map((one, i) => {
      const word = spelt(one.reconciled[0][0]), mind = one.agreed ? "agreed" : "not of one mind";
      const cell = control("span", "gnb-chamber-token", `${i}: ${word}, ${mind}`);
      cell.setAttribute("role", "option");
      cell.classList.toggle("gnb-chamber-split", !one.agreed);
      cell.append(shortening(word));
      return cell;
    });
    list.replaceChildren(...cells);
    if (focused) cells[Math.min(at, cells.length - 1)]?.focus({ preventScroll: true });
  };
  const stand = step => {
    at = step;
    cells.forEach((cell, i) => {
      cell.setAttribute("aria-selected", String(i === at));
      cell.tabIndex = i === at ? 0 : -1;
    });
    back.disabled = at === 0;
    next.disabled = at >= cells.length - 1;
  };
  list.addEventListener("click", event => {
    const found = cells.indexOf(event.target.closest(".gnb-chamber-token"));
    if (found >= 0) go(found);
  });
  list.addEventListener("keydown", event => {
    const move = MOVES[event.key];
    if (move === undefined) return;
    event.preventDefault();
    event.stopPropagation();
    go(at + move);
    cells[at].focus();
    cells[at].scrollIntoView?.({ block: "nearest", inline: "nearest" });
  });
  return { node, draw, stand };
}

/** Lines from the middle to every lane, or back; as strong as each counts, where that is known. */
function fan(lanes, up, shares) {
  const canvas = document.createElementNS(SVG, "svg");
  canvas.setAttribute("class", "gnb-chamber-fan");
  canvas.setAttribute("viewBox", `0 0 ${lanes} 1`);
  canvas.setAttribute("preserveAspectRatio", "none");
  canvas.setAttribute("aria-hidden", "true");
  for (let i = 0; i < lanes; i++) {
    const path = document.createElementNS(SVG, "path");
    path.setAttribute("d", up ? `M${lanes / 2} 1L${i + 0.5} 0` : `M${i + 0.5} 1L${lanes / 2} 0`);
    path.setAttribute("stroke-width", shares ? 0.5 + 6 * shares[i] : 1.5);
    canvas.append(path);
  }
  return canvas;
}

/** A row with its name at the left. */
function line(name, cells, kind = "") {
  const row = make("div", `gnb-chamber-row ${kind}`), head = make("div", "gnb-chamber-name");
  row.setAttribute("role", "row");
  head.setAttribute("role", "rowheader");
  called(head, name);
  for (const cell of cells) cell.setAttribute("role", "cell");
  row.append(head, ...cells);
  return row;
}

function says(words, whose) {
  const node = make("div", "gnb-chamber-says");
  bars(node, words.slice(0, WORDS).map(([word, share]) => ({ text: spelt(word), share, label: `${whose}: ${spelt(word)} ${figure(share)}` })));
  return node;
}

/** The lanes at one step. Returns the largest distance shown. */
function stage(node, shown, step) {
  const lanes = step.perspectives.length, far = step.likeness.map(row => row.map(one => Math.max(0, 1 - one)));
  const most = Math.max(...far.flat()) || 1;
  const weight = (share, i) => {
    const cell = make("div", "gnb-chamber-weight"), track = make("span", "gnb-track"), fill = make("span", "gnb-fill");
    fill.style.width = `${share * 100}%`;
    track.append(fill);
    cell.append(make("span", "", figure(share)), track);
    cell.title = `Perspective ${i} counts ${figure(share)}`;
    return cell;
  };
  const colours = far.map((row, layer) => line(shown.layers[layer], row.map((one, i) => {
    const cell = make("div", "gnb-chamber-far", figure(one));
    cell.title = `${shown.layers[layer]}, perspective ${i}: 1 − cosine ${figure(one)}`;
    paint(cell, one / most);
    return cell;
  })));
  const one = says(step.reconciled, "Reconciled");
  one.classList.add("gnb-chamber-one");
  const heads = step.perspectives.map((_, i) => {
    const cell = make("div", "gnb-chamber-head");
    called(cell, `perspective ${i}`);
    return cell;
  });
  node.style.setProperty("--gnb-lanes", lanes);
  node.replaceChildren(
    line("reconciled", [one], "gnb-chamber-whole"), fan(lanes, false, step.shares),
    line("weight", step.shares.map(weight)),
    line("would say", step.perspectives.map((words, i) => says(words, `Perspective ${i}`))),
    ...colours.reverse(), line("", heads), fan(lanes, true),
  );
  return most;
}

/** Of every pair, how far apart they are. */
function pairs(step) {
  const found = [];
  let at = 0;
  for (let a = 0; a < step.perspectives.length; a++) {
    for (let b = a + 1; b < step.perspectives.length; b++) {
      found.push(`${a} and ${b}: cosine ${step.cosines[at].toFixed(3)}, KL ${a} ‖ ${b} ${figure(step.apart[a][b])}, KL ${b} ‖ ${a} ${figure(step.apart[b][a])} nats`);
      at += 1;
    }
  }
  return found;
}

function render({ model, el }) {
  const { body, close } = frame({ model, el }, "gnb-chamber", `Debate chamber of ${model.get("_title")}`);
  const prompt = box(model, "prompt", "Prompt", "Type a prompt and press Enter");
  const ask = make("div", "gnb-ask");
  ask.append(prompt.field, button("Debate", "Read the prompt and write on", prompt.send));
  const empty = make("p", "gnb-empty", "Type a prompt and press Enter: perspectives part, run on and are reconciled, token by token.");
  const status = make("p", "gnb-chamber-status"), said = make("p", "gnb-words"), scale = make("p", "gnb-legend");
  const scroll = control("div", "gnb-chamber-window", "Perspectives, output on top"), lanes = make("div", "gnb-chamber-lanes");
  const told = make("div", "gnb-chamber-pairs");
  said.setAttribute("role", "status");
  scroll.removeAttribute("title");
  scroll.tabIndex = 0;
  lanes.setAttribute("role", "table");
  lanes.setAttribute("aria-label", "Perspectives by layer, output on top");
  scroll.setAttribute("role", "group");
  scroll.append(lanes);
  let shown = null, wanted = 0;
  const tell = step => {
    wanted = step;
    draw();
  };
  const tokens = written(tell);
  body.append(heading(model), ask, settings(model), empty, status, tokens.node, said, scroll, scale, told);

  const draw = () => {
    const at = Math.min(wanted, shown.steps.length - 1), step = shown.steps[at];
    tokens.stand(at);
    const most = stage(lanes, shown, step), word = spelt(step.reconciled[0][0]);
    const each = step.perspectives.map((words, i) => `${i} ${spelt(words[0][0])} ${figure(words[0][1])} with weight ${figure(step.shares[i])}`);
    said.setAttribute("aria-live", model.get("_running") ? "off" : "polite");
    said.textContent = `Token ${at}: ${word} is written; perspectives would say ${each.join(", ")}`;
    legend(scale, "1 − cosine with the stream of the model itself", "0", figure(most));
    told.replaceChildren(...pairs(step).map(text => make("p", "gnb-about", text)));
  };
  const answer = () => {
    const next = model.get("_shown"), there = next.steps?.length > 0;
    empty.hidden = there;
    for (const node of [status, tokens.node, said, scroll, scale, told]) node.hidden = !there;
    if (!there) return;
    shown = next;
    const minds = shown.steps.filter(one => one.agreed).length;
    status.textContent = `${shown.status}; of one mind in ${minds} of ${shown.steps.length} tokens, dotted where not`;
    tokens.draw(shown.steps);
    draw();
  };
  model.on("change:_shown", answer);
  answer();
  return close;
}

export default { render };
