// The tuning bench: the faders of desk.js, the recipe as chips, and what the model says under it.

const share = amount => (amount >= 0.00005 ? amount.toFixed(4) : "<.0001");

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
    const state = model.get("_edits");
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
  model.on("change:_edits", paint);
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
    text.textContent = model.get("_edits")[key];
    copy(text.textContent, text, node);
  });
  const python = copier("Copy as Python", "python");
  const magic = copier("Copy as %garage", "magic");
  const apply = button("Put in force", "From now on every verb of the garage runs with this recipe", () => model.send({ kind: "apply" }));
  const file = entry("gnb-file", "File to save the recipe to", () => {}, { value: "tuned.json" });
  const save = button("Save", "Save the recipe beside the notebook", () => model.send({ kind: "keep", file: file.value.trim() }));
  const keep = make("span", "gnb-keep"), acts = make("div", "gnb-line");
  keep.append(file, save);
  acts.append(python, magic, apply, keep);
  node.append(acts, text);
  const paint = () => {
    const { applied, magic: lines = "" } = model.get("_edits");
    text.textContent = lines;
    text.hidden = !lines;
    python.disabled = magic.disabled = !lines;
    apply.disabled = applied;
    apply.textContent = applied ? "In force" : "Put in force";
  };
  model.on("change:_edits", paint);
  paint();
  return node;
}

function asking(model) {
  const line = make("div", "gnb-line");
  const { field } = box(model, "prompt", "Prompt", "The capital of France is");
  const show = () => { tokens.value = String(model.get("tokens")); };
  const tokens = entry("gnb-count-field", "How many tokens to go on; 0 for none", text => {
    if (!/^\d{1,3}$/.test(text)) show();
    else if (Number(text) !== model.get("tokens")) put(model, "tokens", Number(text));
  }, { inputMode: "numeric" });
  model.on("change:tokens", show);
  show();
  line.append(labelled("Prompt", field), labelled("Tokens", tokens));
  return line;
}

function render({ model, el }) {
  const { body, close, alive } = frame({ model, el }, "gnb-tuning", `Tuning bench of ${model.get("_title")}`);
  body.append(heading(model), asking(model), desk(model, alive), ...[recipe, next, continuation, code].map(part => part(model)));
  return close;
}

export default { render };
