// The tuning bench: a fader for each part, the recipe as chips, and what the model says under it.

const LEAST = -5, MOST = 5; // log faders go from 1/32 to 32, and start from there where the factor is below
const SCALES = {
  linear: { min: 0, max: 2, step: 0.01, place: factor => factor, factor: place => place },
  log: { min: LEAST, max: MOST, step: 0.05, place: factor => Math.log2(Math.max(factor, 2 ** LEAST)), factor: place => 2 ** place },
};
const round = factor => Number(factor.toPrecision(3));
const share = amount => (amount >= 0.00005 ? amount.toFixed(4) : "<.0001");

/** One row of the desk: name, bypass, solo, slider, number. `moved(part, factor, gesture)` is told of every move. */
function fader(part, scale, { moved, toggle, remove }) {
  const row = make("div", "gnb-fader");
  row.setAttribute("role", "group");
  row.setAttribute("aria-label", part);
  const name = shortening(part);
  name.title = part;
  const bypass = button("B", `Bypass ${part}: leave it as the model has it`, () => toggle("bypassed", part));
  const solo = button("S", `Solo ${part}: leave everything else as the model has it`, () => toggle("soloed", part));
  const slide = control("input", "gnb-slide", `Factor of ${part}`);
  const { min, max, step } = scale;
  Object.assign(slide, { type: "range", min, max, step, tabIndex: 0 });
  const number = control("input", "gnb-field gnb-number", `Factor of ${part}, typed`);
  Object.assign(number, { type: "text", inputMode: "decimal", tabIndex: 0, autocomplete: "off" });
  const gone = button("×", `Remove the fader of ${part}; its edit stays`, () => remove(part));
  row.append(name, bypass, solo, slide, number, gone);
  let gesture = 0, held = false;
  const take = () => { if (!held) gesture = Date.now(); held = true; };
  const release = () => { held = false; };
  slide.addEventListener("input", () => {
    take();
    moved(part, round(scale.factor(Number(slide.value))), gesture);
  });
  for (const end of ["pointerup", "pointercancel", "keyup", "blur"]) slide.addEventListener(end, release);
  slide.addEventListener("dblclick", () => moved(part, 1, Date.now()));
  number.addEventListener("change", () => {
    const factor = Number(number.value.replace(",", "."));
    if (number.value.trim() && Number.isFinite(factor)) moved(part, factor, Date.now());
    else number.value = String(shown);
  });
  let shown = 1;
  const paint = (factor, bypassed, soloed) => {
    shown = round(factor);
    if (!held) slide.value = String(scale.place(factor));
    slide.setAttribute("aria-valuetext", `${shown} times`);
    if (document.activeElement !== number || !held) number.value = String(shown);
    row.classList.toggle("gnb-changed-row", factor !== 1);
    bypass.setAttribute("aria-pressed", String(bypassed));
    solo.setAttribute("aria-pressed", String(soloed));
  };
  return { row, paint };
}

/** The faders, as many as there are parts, and the box that adds more. */
function desk(model, alive) {
  const node = make("div", "gnb-desk");
  const faders = make("div", "gnb-faders");
  const empty = make("p", "gnb-words", "No faders yet. Name parts below, or link a picker’s value to parts.");
  const add = control("input", "gnb-field", "Add faders: parts or a selector, such as layer_2 or attention_*");
  Object.assign(add, { type: "text", placeholder: "layer_2, attention_*", tabIndex: 0, autocomplete: "off" });
  add.addEventListener("keydown", event => {
    if (event.key !== "Enter" || !add.value.trim()) return;
    model.send({ kind: "add", selector: add.value.trim() });
    add.value = "";
  });
  const kind = control("select", "gnb-choice", "Scale of the faders: linear to 2, or logarithmic from 1/32 to 32");
  kind.tabIndex = 0;
  for (const name of Object.keys(SCALES)) kind.append(new Option(name, name));
  const foot = make("div", "gnb-line");
  foot.append(labelled("Add", add), labelled("Faders", kind));
  node.append(faders, empty, foot);
  const write = (name, value) => {
    if (!alive()) return;
    model.set(name, value);
    model.save_changes();
  };
  const acts = {
    moved: (part, factor, gesture) => write("_move", [gesture, { ...model.get("factors"), ...model.get("_move")[1], [part]: factor }]),
    toggle: (name, part) => {
      const now = model.get(name);
      write(name, now.includes(part) ? now.filter(one => one !== part) : [...now, part]);
    },
    remove: part => write("parts", model.get("parts").filter(one => one !== part)),
  };
  let drawn = [];
  const paint = () => {
    const factors = model.get("factors");
    for (const { part, paint } of drawn) {
      paint(factors[part] ?? 1, model.get("bypassed").includes(part), model.get("soloed").includes(part));
    }
  };
  const lay = () => {
    drawn = model.get("parts").map(part => ({ part, ...fader(part, SCALES[kind.value], acts) }));
    faders.replaceChildren(...drawn.map(each => each.row));
    empty.hidden = drawn.length > 0;
    paint();
  };
  kind.addEventListener("change", lay);
  model.on("change:parts", lay);
  for (const name of ["factors", "bypassed", "soloed"]) model.on(`change:${name}`, paint);
  lay();
  return node;
}

/** Every edit of the draft as a chip, and the steps back and forth. */
function recipe(model) {
  const node = make("div", "gnb-recipe");
  const chips = make("div", "gnb-line gnb-chips");
  const send = kind => () => model.send({ kind });
  const undo = button("Undo", "Take the last change back", send("undo"));
  const redo = button("Redo", "Bring back what undo took away", send("redo"));
  const reset = button("Reset", "Take every edit back", send("reset"));
  const steps = make("div", "gnb-line");
  steps.append(undo, redo, reset);
  node.append(chips, steps);
  const paint = () => {
    const state = model.get("_desk_state");
    const edits = (state.edits ?? []).map(({ said, heard }, edit) => {
      const chip = make("span", heard ? "gnb-chip" : "gnb-chip gnb-unheard");
      const text = shortening(said);
      text.title = heard ? said : `${said} (bypassed)`;
      chip.append(text, button("×", `Take out: ${said}`, () => model.send({ kind: "drop", edit })));
      return chip;
    });
    chips.replaceChildren(...(edits.length ? edits : [make("span", "gnb-words", "Nothing is changed.")]));
    undo.disabled = !state.undo;
    redo.disabled = !state.redo;
    reset.disabled = !edits.length;
  };
  model.on("change:_desk_state", paint);
  paint();
  return node;
}

function bar(amount, kind) {
  const track = make("span", `gnb-meter ${kind}`);
  track.append(make("span", ""));
  track.firstChild.style.width = `${100 * amount}%`;
  return track;
}

/** The likeliest next tokens, untouched over tuned, and how far the two are apart. */
function next(model) {
  const node = make("div", "gnb-next");
  const table = make("table", "gnb-tokens");
  const said = make("p", "gnb-verdict");
  said.setAttribute("role", "status");
  node.append(table, said);
  const cells = (token, untouched, tuned, changed) => {
    const row = make("tr");
    const name = make("th");
    name.scope = "row";
    name.append(shortening(token));
    name.title = token;
    const bars = make("td", "gnb-bars");
    bars.setAttribute("aria-hidden", "true");
    bars.append(bar(untouched, "gnb-before"), ...(changed ? [bar(tuned, "gnb-after")] : []));
    row.append(name, bars, make("td", "gnb-number", share(untouched)));
    if (changed) row.append(make("td", "gnb-number gnb-amber", share(tuned)));
    return row;
  };
  const paint = () => {
    const { tokens = [], untouched, tuned, divergence, likeliest, changed } = model.get("_next");
    if (!tokens.length) {
      table.replaceChildren();
      said.textContent = "Write a prompt to see the next token.";
      return;
    }
    const head = make("tr");
    for (const text of ["next token", "", "untouched", ...(changed ? ["tuned"] : [])]) head.append(make("th", "", text));
    table.replaceChildren(head, ...tokens.map((token, i) => cells(token, untouched[i], tuned[i], changed)));
    const [before, after] = likeliest;
    const top = before === after ? `The likeliest stays ${before}` : `The likeliest goes from ${before} to ${after}`;
    said.textContent = changed ? `${top}; KL ${divergence.toPrecision(3)} nats.` : "Move a fader to see what changes.";
  };
  model.on("change:_next", paint);
  paint();
  return node;
}

/** The continuation of the prompt, untouched and tuned; what only one of them says is marked. */
function continuation(model) {
  const node = make("div", "gnb-texts");
  const paint = () => {
    node.replaceChildren(...model.get("_texts").map(({ name, tokens, probabilities, differs }) => {
      const line = make("p", name === "tuned" ? "gnb-speech gnb-tuned" : "gnb-speech");
      line.append(make("span", "gnb-who", name));
      const words = make("span", "gnb-said");
      words.append(...tokens.map((token, i) => {
        const word = make(differs[i] ? "mark" : "span", "gnb-piece", token);
        word.title = `probability ${share(probabilities[i])}`;
        return word;
      }));
      line.append(words);
      return line;
    }));
  };
  model.on("change:_texts", paint);
  paint();
  return node;
}

/** The recipe as code, to copy, to put in force and to keep. */
function code(model) {
  const node = make("div", "gnb-code");
  const text = make("pre", "gnb-lines");
  const copier = (name, key) => button(name, `${name}: the lines that make these changes`, node => {
    text.textContent = model.get("_desk_state")[key];
    copy(text.textContent, text, node);
  });
  const python = copier("Copy as Python", "python");
  const magic = copier("Copy as %garage", "magic");
  const apply = button("Put in force", "From now on every verb of the garage runs with this recipe", () => model.send({ kind: "apply" }));
  const file = control("input", "gnb-field gnb-file", "File to save the recipe to");
  Object.assign(file, { type: "text", value: "tuned.json", tabIndex: 0, autocomplete: "off" });
  const save = button("Save", "Save the recipe beside the notebook", () => model.send({ kind: "keep", file: file.value.trim() }));
  const acts = make("div", "gnb-line");
  acts.append(python, magic, apply, file, save);
  node.append(acts, text);
  const paint = () => {
    const { applied, magic: lines = "" } = model.get("_desk_state");
    text.textContent = lines;
    text.hidden = !lines;
    python.disabled = magic.disabled = !lines;
    apply.disabled = applied;
    apply.textContent = applied ? "In force" : "Put in force";
  };
  model.on("change:_desk_state", paint);
  paint();
  return node;
}

/** A field whose text is a trait: sent when it is left or Enter is pressed, and following what comes back. */
function field(model, name, label, kind, read) {
  const node = control("input", `gnb-field ${kind}`, label);
  Object.assign(node, { type: "text", tabIndex: 0, autocomplete: "off" });
  const show = () => { node.value = String(model.get(name)); };
  node.addEventListener("change", () => {
    const value = read(node.value);
    if (value === undefined) return show();
    model.set(name, value);
    model.save_changes();
  });
  model.on(`change:${name}`, show);
  show();
  return node;
}

function asking(model) {
  const line = make("div", "gnb-line");
  const prompt = field(model, "prompt", "Prompt", "", text => text);
  prompt.placeholder = "The capital of France is";
  const count = text => (/^\d{1,3}$/.test(text.trim()) ? Number(text) : undefined);
  const tokens = field(model, "tokens", "How many tokens to go on; 0 for none", "gnb-count-field", count);
  tokens.inputMode = "numeric";
  line.append(labelled("Prompt", prompt), labelled("Tokens", tokens));
  return line;
}

function render({ model, el }) {
  const { body, close, alive } = frame({ model, el }, "gnb-tuning", `Tuning bench of ${model.get("_title")}`);
  const title = make("p", "gnb-title");
  const name = shortening(model.get("_title"));
  name.title = model.get("_title");
  title.append(name, make("span", "gnb-about", model.get("_about")));
  body.append(title, asking(model), desk(model, alive), recipe(model), next(model), continuation(model), code(model));
  return close;
}

export default { render };
