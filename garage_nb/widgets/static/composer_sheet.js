// The sheet: its grafts as chips, whether it can be built, and what was built, proved, judged and saved of it.

function facts(kind, rows) {
  const list = make("dl", kind);
  for (const [name, said] of rows) list.append(make("dt", "", name), make("dd", "", said));
  return list;
}

const ADAPTERS = { none: () => "no adapter", fit: on => `adapter fitted on ${on}`, untrained: () => "adapter untrained" };

/** How a swap is joined. */
function joint([adapter, choices, words], said, on, send) {
  if (choices.length < 2) return Object.assign(make("span", "gnb-c-joint", ADAPTERS[adapter](on)), { title: words });
  const node = control("select", `gnb-choice gnb-c-joint${adapter === "none" ? " gnb-c-quiet" : ""}`, `Adapter of ${said}`);
  node.tabIndex = 0;
  node.append(...choices.map(choice => new Option(ADAPTERS[choice](on), choice)));
  node.value = adapter;
  if (words) node.title += `. It cannot be fitted: ${words}`;
  node.addEventListener("change", () => send(node.value));
  node.addEventListener("keydown", event => { if (event.key !== "Escape") event.stopPropagation(); });
  return node;
}

function chip([said, verdict, reason], ...controls) {
  const node = make("span", verdict === "refused" ? "gnb-c-chip gnb-c-wrong" : "gnb-c-chip");
  const text = shortening(said);
  text.title = [said, verdict, reason].filter(Boolean).join(": ");
  if (verdict === "refused") node.append(make("span", "gnb-c-no", "no"));
  node.append(text, ...controls);
  return node;
}

/** A chip for each graft, and for each edit in force, which is taken back where it was made. */
function chips(model) {
  const { grafts = [], joints = [], edits = [] } = model.get("_sheet"), on = model.get("_on");
  const made = grafts.map((each, graft) => {
    const join = adapter => model.send({ kind: "join", graft, adapter });
    const out = button("×", `Take out: ${each[0]}`, () => model.send({ kind: "take_out", graft }));
    return joints[graft]?.length ? chip(each, joint(joints[graft], each[0], on, join), out) : chip(each, out);
  });
  made.push(...edits.map(each => chip(each, make("span", "gnb-c-joint gnb-c-quiet", "edit in force"))));
  return made.length ? made : [make("span", "gnb-c-quiet", "No grafts yet: the result is the base.")];
}

/** Draws anew; the focus goes to the control in the place of the one that had it, or to `other`. */
function redraw(node, drawn, other) {
  const place = [...node.querySelectorAll("button, select")].indexOf(document.activeElement);
  node.replaceChildren(...drawn);
  const now = node.querySelectorAll("button, select");
  if (place >= 0) (now[Math.min(place, now.length - 1)] ?? other).focus();
}

/** Grafts in their order, the verdict under them, and the steps back and forth. */
function grafts(model) {
  const node = make("div", "gnb-c-sheet"), line = make("div", "gnb-c-grafts"), about = make("div");
  const own = make("div", "gnb-line"), back = make("div", "gnb-line"), verdict = make("p", "gnb-c-whole");
  const undo = button("Undo", "Take the last change back", () => model.send({ kind: "undo" }));
  const redo = button("Redo", "Bring back what undo took away", () => model.send({ kind: "redo" }));
  verdict.setAttribute("role", "status");
  const field = texts(model, "fitting", "Fit on", model.get("_spare"));
  back.append(undo, redo);
  line.append(verdict, back);
  node.append(own, field, line, about);
  const paint = () => {
    const { grafts = [], joints = [], edits = [], whole = [], facts: told = [], undo: past, redo: future } = model.get("_sheet");
    const at = document.activeElement;
    [undo.disabled, redo.disabled] = [!past, !future];
    if (at?.disabled) (past ? undo : redo).focus(); // what goes no further leaves the focus to the other
    redraw(own, chips(model), undo);
    field.hidden = !joints.some(each => each[0] === "fit");
    const steps = [...grafts, ...edits], wrong = [...steps, whole].filter(each => each[1] === "refused");
    verdict.textContent = wrong.map(([said, , reason]) => `${said}: ${reason}`).join("\n") || (steps.length ? "It can be built." : "");
    verdict.classList.toggle("gnb-c-wrong", wrong.length > 0);
    about.replaceChildren(...(steps.length && told.length ? [facts("gnb-c-facts", told)] : []));
  };
  for (const name of ["_sheet", "_on"]) model.on(`change:${name}`, paint);
  paint();
  return node;
}

function outcome(model) {
  const node = make("div", "gnb-c-outcome");
  const make_ = button("Build", "Build the sheet, and prove what was built", () => model.send({ kind: "make" }));
  const judged = button("Judge", "Hold it against the base and its donors", () => model.send({ kind: "judge" }));
  const folder = entry("gnb-c-folder", "Folder to save it to", () => {}, { value: "hybrid" });
  const save = button("Save", "Save it as a plain folder of transformers", () => model.send({ kind: "keep", folder: folder.value.trim() }));
  const { box, code } = listing();
  const python = button("Copy as Python", "Copy as Python: the build sheet", node => {
    if (!navigator.clipboard) box.open = true; // only what is seen can be selected
    copy(code.textContent, code, node);
  });
  const keep = make("span", "gnb-c-keep");
  keep.append(folder, save);
  const line = make("div", "gnb-line");
  line.append(make_, judged, keep, python);
  const [proofs, table, told] = [make("ul", "gnb-c-proofs"), make("div", "gnb-c-judged"), make("p", "gnb-c-told")];
  proofs.setAttribute("aria-label", "What was proved");
  told.setAttribute("role", "status");
  const field = texts(model, "texts", "Judge on", "items of the showroom");
  node.append(line, field, proofs, told, table, box);
  const paint = () => {
    const { grafts = [], edits = [], ok } = model.get("_sheet"), rows = model.get("_proofs");
    const some = grafts.length + edits.length > 0;
    make_.disabled = !some || !ok;
    judged.disabled = save.disabled = !rows.length;
    python.disabled = box.hidden = !some;
    proofs.replaceChildren(...rows.map(([sign, claim, found]) => {
      const row = make("li", sign === "✗" ? "gnb-c-proof gnb-c-wrong" : "gnb-c-proof");
      row.append(make("span", "gnb-c-sign", sign), make("span", "gnb-c-claim", claim), make("span", "gnb-c-found", found));
      return row;
    }));
    told.textContent = model.get("_told");
    code.textContent = model.get("_python");
    const { names = [] } = model.get("_judged");
    table.replaceChildren(...(names.length ? verdicts(model.get("_judged")) : []));
  };
  for (const name of ["_sheet", "_proofs", "_python", "_judged", "_told"]) model.on(`change:${name}`, paint);
  paint();
  return node;
}

function texts(model, trait, name, none) {
  const placeholder = `Texts, one a line. None: ${none}.`, field = control("textarea", "gnb-field gnb-c-texts", `${name}: ${placeholder}`);
  Object.assign(field, { tabIndex: 0, rows: 2, placeholder });
  field.addEventListener("keydown", event => { if (event.key !== "Escape") event.stopPropagation(); });
  field.addEventListener("change", () => put(model, trait, field.value));
  const show = () => { field.value = model.get(trait); };
  model.on(`change:${trait}`, show);
  show();
  return labelled(name, field);
}

function listing() {
  const box = make("details", "gnb-c-python"), code = make("pre", "gnb-c-code");
  const fold = Object.assign(control("summary", "gnb-c-fold", "Show the sheet as Python"), { tabIndex: 0, textContent: "As Python" });
  box.append(fold, code);
  return { box, code };
}

/** The table of an evaluation. It scrolls by itself. */
function verdicts({ heads, names, cells, caption }) {
  const table = make("table", "gnb-c-table"), head = make("tr");
  const titled = (title, scope) => {
    const node = Object.assign(make("th"), { title, scope });
    node.append(shortening(title));
    return node;
  };
  head.append(...["", ...heads].map(text => titled(text, "col")));
  table.append(head, ...names.map((name, i) => {
    const row = make("tr");
    row.append(titled(name, "row"), ...cells[i].map(text => make("td", "", text)));
    return row;
  }));
  const frame = control("div", "gnb-c-scroll", "How it was judged");
  frame.tabIndex = 0;
  frame.setAttribute("role", "region");
  frame.append(table);
  return [frame, make("p", "gnb-c-quiet", caption)];
}
