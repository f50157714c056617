// The sheet: its grafts as chips, whether it can be built, and what was built, proved, judged and saved of it.

/** A list of names with what is said of each. */
function facts(kind, rows) {
  const list = make("dl", kind);
  for (const [name, said] of rows) list.append(make("dt", "", name), make("dd", "", said));
  return list;
}

function chip([said, verdict, reason], send) {
  const node = make("span", verdict === "refused" ? "gnb-c-chip gnb-c-wrong" : "gnb-c-chip");
  const text = shortening(said);
  text.title = [said, verdict, reason].filter(Boolean).join(": ");
  if (verdict === "refused") node.append(make("span", "gnb-c-no", "no"));
  node.append(text, button("×", `Take out: ${said}`, send));
  return node;
}

/** Grafts in their order, the steps back and forth, and the verdict under them. */
function grafts(model) {
  const node = make("div", "gnb-c-sheet");
  const chips = make("div", "gnb-line gnb-c-chips");
  const undo = button("Undo", "Take the last change back", () => model.send({ kind: "undo" }));
  const redo = button("Redo", "Bring back what undo took away", () => model.send({ kind: "redo" }));
  const steps = make("div", "gnb-line");
  steps.append(undo, redo);
  const line = make("div", "gnb-c-grafts");
  line.append(chips, steps);
  const verdict = make("p", "gnb-c-whole");
  verdict.setAttribute("role", "status");
  const about = make("div");
  node.append(line, verdict, about);
  const paint = () => {
    const { grafts = [], whole = [], facts: told = [], undo: back, redo: forth } = model.get("_sheet");
    const made = grafts.map((each, graft) => chip(each, () => model.send({ kind: "take_out", graft })));
    chips.replaceChildren(...(made.length ? made : [make("span", "gnb-c-quiet", "No grafts yet: the result is the base.")]));
    [undo.disabled, redo.disabled] = [!back, !forth];
    const wrong = [...grafts, whole].filter(each => each[1] === "refused").map(([said, , reason]) => `${said}: ${reason}`);
    verdict.textContent = wrong.join("\n") || (grafts.length ? "It can be built." : "");
    verdict.classList.toggle("gnb-c-wrong", wrong.length > 0);
    about.replaceChildren(...(grafts.length && told.length ? [facts("gnb-c-facts", told)] : []));
  };
  model.on("change:_sheet", paint);
  paint();
  return node;
}

/** What can be done with the sheet, and what came of it. */
function outcome(model) {
  const node = make("div", "gnb-c-outcome");
  const make_ = button("Build", "Build the sheet, and prove what was built", () => model.send({ kind: "make" }));
  const judged = button("Judge", "Hold it against its donors: on the texts, or on items of the showroom", () => model.send({ kind: "judge" }));
  const folder = entry("gnb-c-folder", "Folder to save it to", () => {}, { value: "hybrid" });
  const save = button("Save", "Save it as a plain folder of transformers", () => model.send({ kind: "keep", folder: folder.value.trim() }));
  const code = make("pre", "gnb-c-code");
  const python = button("Copy as Python", "Copy as Python: the build sheet", node => {
    code.textContent = model.get("_python");
    copy(code.textContent, code, node);
  });
  const keep = make("span", "gnb-c-keep");
  keep.append(folder, save);
  const line = make("div", "gnb-line");
  line.append(make_, judged, keep, python);
  const [proofs, table, told] = [make("ul", "gnb-c-proofs"), make("div", "gnb-c-judged"), make("p", "gnb-c-told")];
  proofs.setAttribute("aria-label", "What was proved");
  told.setAttribute("role", "status");
  node.append(line, judging(model), proofs, told, table, code);
  const paint = () => {
    const { grafts = [], ok } = model.get("_sheet"), rows = model.get("_proofs");
    make_.disabled = !grafts.length || !ok;
    judged.disabled = save.disabled = !rows.length;
    python.disabled = !grafts.length;
    proofs.replaceChildren(...rows.map(([sign, claim, found]) => {
      const row = make("li", sign === "✗" ? "gnb-c-proof gnb-c-wrong" : "gnb-c-proof");
      row.append(make("span", "gnb-c-sign", sign), make("span", "gnb-c-claim", claim), make("span", "gnb-c-found", found));
      return row;
    }));
    told.textContent = model.get("_told");
    code.textContent = grafts.length ? model.get("_python") : "";
    const { names = [] } = model.get("_judged");
    table.replaceChildren(...(names.length ? verdicts(model.get("_judged")) : []));
  };
  for (const name of ["_sheet", "_proofs", "_python", "_judged", "_told"]) model.on(`change:${name}`, paint);
  paint();
  return node;
}

/** The texts that it is judged on; none mean items of the showroom. */
function judging(model) {
  const field = control("textarea", "gnb-field gnb-c-texts", "Texts to judge by, one a line; none: held-out items of the showroom");
  Object.assign(field, { tabIndex: 0, rows: 2, placeholder: "Texts, one a line. None: items of the showroom." });
  field.addEventListener("keydown", event => { if (event.key !== "Escape") event.stopPropagation(); });
  field.addEventListener("change", () => put(model, "texts", field.value));
  const show = () => { field.value = model.get("texts"); };
  model.on("change:texts", show);
  show();
  return labelled("Judge on", field);
}

/** The table of an evaluation, which scrolls by itself where it is wide. */
function verdicts({ heads, names, cells, caption }) {
  const table = make("table", "gnb-c-table"), head = make("tr");
  for (const text of ["", ...heads]) head.append(Object.assign(make("th", "", text), { scope: "col" }));
  table.append(head, ...names.map((name, i) => {
    const row = make("tr");
    row.append(Object.assign(make("th", "", name), { scope: "row" }), ...cells[i].map(text => make("td", "", text)));
    return row;
  }));
  const frame = control("div", "gnb-c-scroll", "How it was judged");
  frame.tabIndex = 0;
  frame.setAttribute("role", "region");
  frame.append(table);
  return [frame, make("p", "gnb-c-quiet", caption)];
}
