// The scope: parts by tokens as a heat map that grows, a line along the parts at one token, and what is under the hand.

const CELL = [1, 26]; // px across a cell, at least and at most
const HIGH = [4, 22, 420]; // px down a cell, at least and at most, and down all of them
const LETTERING = 15; // px that a name needs
const PROFILE = 110; // px across the line plot
const MARGIN = 7; // px at its sides
const STEPS = {
  ArrowUp: [1, 0], ArrowDown: [-1, 0], ArrowLeft: [0, -1], ArrowRight: [0, 1],
  PageUp: [8, 0], PageDown: [-8, 0], Home: [0, -Infinity], End: [0, Infinity],
};

const within = (value, end) => Math.max(0, Math.min(end - 1, value));

/** Names beside the rows or under the columns, every so many that none touches the next. */
function nameSide(node, names, size, { up = false, mark = () => "" } = {}) {
  const every = Math.max(1, Math.ceil(LETTERING / size)), shown = [];
  for (let i = 0; i < names.length; i += every) {
    const name = make("span", `gnb-place ${mark(i)}`);
    name.title = names[i];
    name.append(shortening(names[i]));
    name.style[up ? "bottom" : "left"] = `${(i + 0.5) * size}px`;
    shown.push(name);
  }
  node.replaceChildren(...shown);
}

/** The map with its cursor. `tell(row, column)` follows the pointer, or else the cursor. */
function map(tell) {
  const node = control("div", "gnb-heat", ""), canvas = make("canvas"), mark = make("div", "gnb-cursor");
  node.tabIndex = 0;
  node.setAttribute("role", "application");
  node.setAttribute("aria-roledescription", "heat map");
  node.removeAttribute("title");
  node.append(canvas, mark);
  let rows = 0, columns = 0, size = [1, 1], at = null; // `at` null: the output's row at the newest token
  const cursor = () => at ?? [rows - 1, columns - 1];
  const stand = (row, column) => {
    [mark.style.bottom, mark.style.left] = [`${row * size[1]}px`, `${column * size[0]}px`];
    [mark.style.height, mark.style.width] = [`${size[1]}px`, `${Math.max(2, size[0])}px`];
    tell(row, column);
  };
  const cellAt = event => {
    const edge = node.getBoundingClientRect();
    const column = within(Math.floor((event.clientX - edge.left) / size[0]), columns);
    return [within(rows - 1 - Math.floor((event.clientY - edge.top) / size[1]), rows), column];
  };
  node.addEventListener("pointermove", event => stand(...cellAt(event)));
  node.addEventListener("pointerleave", () => stand(...cursor()));
  node.addEventListener("click", event => { at = cellAt(event); node.focus({ preventScroll: true }); });
  node.addEventListener("keydown", event => {
    const step = STEPS[event.key];
    if (!step || !columns) return;
    event.preventDefault();
    event.stopPropagation();
    const [row, column] = cursor();
    at = [within(row + step[0], rows), within(column + step[1], columns)];
    if (event.key === "End") at = at[0] === rows - 1 ? null : at;
    stand(...cursor());
    mark.scrollIntoView({ block: "nearest", inline: "nearest" });
  });
  const draw = (shown, values, cell) => {
    [rows, columns, size] = [shown.parts.length, shown.tokens.length, cell];
    if (at) at = [within(at[0], rows), within(at[1], columns)];
    [node.style.width, node.style.height] = [`${columns * size[0]}px`, `${rows * size[1]}px`];
    node.setAttribute("aria-label", `${shown.defined}: ${rows} parts by ${columns} tokens, output on top`);
    heat(canvas, { rows, columns, values, low: shown.low, high: shown.high, stops: shown.signed ? CHANGES : AMOUNTS, up: true });
    if (!node.matches(":hover")) stand(...cursor());
  };
  return { node, canvas, draw };
}

/** The values along the parts at one token, beside their rows, in the ink of the theme. */
function profile() {
  const drawing = name => document.createElementNS("http://www.w3.org/2000/svg", name);
  const canvas = drawing("svg"), line = drawing("path"), dots = drawing("path");
  canvas.setAttribute("class", "gnb-profile");
  canvas.setAttribute("aria-hidden", "true");
  dots.setAttribute("class", "gnb-dots");
  canvas.append(line, dots);
  const draw = (values, low, high, size) => {
    const height = values.length * size;
    canvas.setAttribute("width", PROFILE);
    canvas.setAttribute("height", height);
    const points = [...values].flatMap((value, row) => {
      const share = high > low ? (value - low) / (high - low) : 0.5;
      return Number.isNaN(value) ? [] : [[MARGIN + share * (PROFILE - 2 * MARGIN), height - (row + 0.5) * size]];
    });
    line.setAttribute("d", points.map(([x, y], i) => `${i ? "L" : "M"}${x} ${y}`).join(""));
    dots.setAttribute("d", size >= 8 ? points.map(([x, y]) => `M${x - 2} ${y - 2}h4v4h-4z`).join("") : "");
  };
  return { canvas, draw };
}

/** Start, Pause and Go on are one button; Stop is for good. */
function drive(model, start, alive) {
  const main = button("Start", "Read the prompt and write on", () => {
    if (!alive()) return;
    if (model.get("_running")) model.send({ kind: "stop" });
    else if (model.get("_left")) model.send({ kind: "resume" });
    else start();
  });
  const stop = button("Stop", "Stop for good; what is shown stays", () => alive() && model.send({ kind: "finish" }));
  const show = () => {
    const [running, left] = [model.get("_running"), model.get("_left")];
    const [text, label] = running ? ["Pause", "Stop here; it can be gone on with"]
      : left ? ["Go on", "Go on from where it was paused"] : ["Start", "Read the prompt and write on"];
    main.textContent = text;
    main.title = label;
    main.setAttribute("aria-label", `${text}: ${label}`);
    stop.disabled = !running && !left;
  };
  for (const name of ["_running", "_left"]) model.on(`change:${name}`, show);
  show();
  return [main, stop];
}

/** Which statistic, at which threshold, and how many tokens. */
function choices(model) {
  const line = make("div", "gnb-line"), which = control("select", "gnb-choice", "Statistic");
  which.tabIndex = 0;
  which.append(...model.get("_statistics").map(name => {
    const option = make("option", "", name.replaceAll("_", " "));
    option.value = name;
    return option;
  }));
  which.addEventListener("change", () => put(model, "statistic", which.value));
  const edges = model.get("_edges"), slide = control("input", "gnb-slide", "Threshold in standard deviations of a token");
  Object.assign(slide, { type: "range", min: 0, max: edges.length - 1, step: 1, tabIndex: 0 });
  const said = make("output", "gnb-edge");
  slide.addEventListener("input", () => put(model, "tau", edges[slide.value]));
  const threshold = labelled("|x| ≤", slide), count = control("input", "gnb-field gnb-upto", "New tokens at most");
  threshold.append(said);
  Object.assign(count, { type: "number", min: 0, max: 4096, step: 1, tabIndex: 0 });
  count.addEventListener("change", () => {
    if (count.value !== "" && count.validity.valid) put(model, "tokens", Number(count.value));
    show();
  });
  const show = () => {
    which.value = model.get("statistic");
    threshold.hidden = which.value !== "sparsity";
    slide.value = edges.indexOf(model.get("tau"));
    said.textContent = `${model.get("tau")} σ`;
    slide.setAttribute("aria-valuetext", said.textContent);
    count.value = model.get("tokens");
  };
  for (const name of ["statistic", "tau", "tokens"]) model.on(`change:${name}`, show);
  show();
  line.append(which, threshold, labelled("tokens", count));
  return line;
}

/** The picture as a file: names, map and what it shows, as sharp as the screen is not. */
function png(root, shown, canvas, size) {
  const wide = Math.max(canvas.width * size[0], 320), high = canvas.height * size[1], left = 150, top = 40;
  const sheet = make("canvas"), pen = sheet.getContext("2d"), style = getComputedStyle(root);
  [sheet.width, sheet.height] = [2 * (left + wide + 12), 2 * (top + high + 12)];
  pen.scale(2, 2);
  pen.fillStyle = style.backgroundColor;
  pen.fillRect(0, 0, sheet.width, sheet.height);
  pen.fillStyle = style.color;
  pen.font = `12px ${style.fontFamily}`;
  pen.fillText(shown.defined, left, 16);
  pen.fillText(`${figured(shown.low)} to ${figured(shown.high)}`, left, 32);
  const every = Math.max(1, Math.ceil(LETTERING / size[1]));
  for (let row = 0; row < shown.parts.length; row += every) {
    pen.fillText(shown.parts[row], 8, top + high - (row + 0.5) * size[1] + 4, left - 16);
  }
  pen.imageSmoothingEnabled = false;
  pen.drawImage(canvas, left, top, canvas.width * size[0], high);
  download({ name: "scope.png", href: sheet.toDataURL("image/png") });
}

function render({ model, el }) {
  const { root, body, close, alive } = frame({ model, el }, "gnb-scope", `Scope of ${model.get("_title")}`);
  const prompt = box(model, "prompt", "Prompt", "Type a prompt and press Enter");
  const ask = make("div", "gnb-ask"), empty = make("p", "gnb-empty", "Type a prompt and press Start: every part at every token, while the model reads and writes.");
  ask.append(prompt.field, ...drive(model, prompt.send, alive));
  const sheet = make("div", "gnb-sheet"), rowNames = make("div", "gnb-rows"), under = make("div", "gnb-under");
  const scroll = make("div", "gnb-across"), scale = make("p", "gnb-legend"), said = make("p", "gnb-words"), files = make("div", "gnb-line gnb-files");
  for (const node of [rowNames, under]) node.setAttribute("aria-hidden", "true");
  said.setAttribute("role", "status");
  let shown = null, values = new Float32Array(0), size = [1, 1], due = false;

  const line = profile();
  const chart = map((row, column) => {
    const [rows, columns] = [shown.parts.length, shown.tokens.length], value = values[row * columns + column];
    const found = Number.isNaN(value) ? "not read here" : figured(value);
    said.setAttribute("aria-live", model.get("_running") ? "off" : "polite");
    said.textContent = `${shown.parts[row]} at ${column} ‘${spelt(shown.tokens[column])}’: ${found}`;
    line.draw(Array.from({ length: rows }, (_, i) => values[i * columns + column]), shown.low, shown.high, size[1]);
  });
  scroll.append(chart.node, under);
  sheet.append(rowNames, scroll, line.canvas);
  for (const [form, words] of [["svg", "the picture"], ["csv", "every number"]]) {
    files.append(button(form.toUpperCase(), `Download ${words} as ${form.toUpperCase()}`, () => alive() && model.send({ kind: "save", form })));
  }
  files.prepend(button("PNG", "Download the picture as PNG", () => png(root, shown, chart.canvas, size)));
  body.append(heading(model), ask, choices(model), empty, sheet, said, scale, files);

  const draw = () => {
    due = false;
    const next = model.get("_shown"), none = !next.parts?.length;
    empty.hidden = !none;
    for (const node of [sheet, said, scale, files]) node.hidden = none;
    const bytes = numbers(model.get("_values"));
    if (none || bytes.length !== next.parts.length * next.tokens.length) return;
    [shown, values] = [next, bytes];
    const [rows, columns] = [shown.parts.length, shown.tokens.length];
    const room = (scroll.clientWidth || 400) - 14;
    size = [Math.max(CELL[0], Math.min(CELL[1], room / columns)), Math.max(HIGH[0], Math.min(HIGH[1], HIGH[2] / rows))];
    rowNames.style.height = `${rows * size[1]}px`;
    nameSide(rowNames, shown.parts, size[1], { up: true, mark: i => (shown.changed[i] ? "gnb-amber" : "") });
    under.style.height = `${Math.min(88, 16 + 7 * Math.max(...shown.tokens.map(token => token.length)))}px`;
    nameSide(under, shown.tokens.map(spelt), size[0], { mark: i => (i < shown.prompted ? "gnb-asked" : "") });
    chart.draw(shown, values, size);
    legend(scale, shown.defined, figured(shown.low), figured(shown.high));
    if (shown.signed) scale.querySelector(".gnb-ramp").style.background = `linear-gradient(to right, ${CHANGES.map(css).join(", ")})`;
  };
  const soon = () => {
    if (!due) requestAnimationFrame(draw);
    due = true;
  };
  for (const name of ["_shown", "_values"]) model.on(`change:${name}`, soon);
  const watcher = new ResizeObserver(soon);
  watcher.observe(root);
  soon();
  return () => { watcher.disconnect(); close(); };
}

/** Four figures, also of what is large, small or below 0. */
function figured(value) {
  const size = Math.abs(value);
  return size && (size >= 10000 || size < 0.001) ? value.toExponential(2) : value.toFixed(size >= 100 ? 1 : 3);
}

export default { render };
