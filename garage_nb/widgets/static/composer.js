// The composer: models side by side, the hand over them, and the sheet below.

let lists = 0;

/** The box for another model. */
function bringing(model) {
  const known = make("datalist");
  known.id = `gnb-c-known-${Date.now()}-${(lists += 1)}`;
  const name = entry("gnb-c-short", "Name of the donor on the sheet; empty for the next free letter", () => {}, { placeholder: "b", maxLength: 24 });
  const bring = () => {
    const source = field.value.trim();
    if (!source) return;
    model.send({ kind: "bring", source, name: name.value.trim() });
    field.value = name.value = "";
  };
  const field = entry("", "Donor: a model known by name, or a folder", bring, { placeholder: "a model or a folder" });
  field.setAttribute("list", known.id);
  const show = () => known.replaceChildren(...model.get("_known").map(one => new Option(one, one)));
  model.on("change:_known", show);
  show();
  const line = make("div", "gnb-line gnb-c-bring");
  line.append(labelled("Donor", field), labelled("as", name), button("Add", "Put this model beside the base", bring), known);
  return line;
}

const HINT = "Drag a part onto a place of the result. Or Enter picks it up, arrows choose, Enter drops.";
const EMPTY = "No donors yet: name a model above. Enter repeats a layer of the base, Delete takes it out.";

function render({ model, el }) {
  const { body, close, alive } = frame({ model, el }, "gnb-composer", `Composer on ${model.get("_title")}`);
  const head = make("p", "gnb-title");
  const name = shortening(model.get("_title"));
  name.title = model.get("_title");
  const count = make("span", "gnb-count");
  head.append(name, make("span", "gnb-about", model.get("_about")), count);
  const stage = make("div", "gnb-c-stage");
  const words = make("p", "gnb-words");
  const tell = cell => { words.textContent = cell?.node.getAttribute("aria-label") ?? (model.get("_beside").length ? HINT : EMPTY); };
  const { line, lay } = hand(model, stage, alive, tell);
  const bring = bringing(model);
  let columns = [];
  const draw = () => {
    const data = [model.get("_result"), ...model.get("_beside")].filter(each => each.rows);
    if (!data.length) return;
    const scrolled = columns.map(column => column.grid.scrollTop);
    const away = columns.findIndex(column => column.head === document.activeElement?.parentElement);
    columns = data.map((each, i) => (columns[i]?.data === each ? columns[i] : drawColumn(each, i, () => model.send({ kind: "dismiss", donor: each.name }))));
    const refocus = lay(columns);
    stage.replaceChildren(...columns.map(column => column.node));
    if (away > 0) (columns[Math.min(away, columns.length - 1)].head.querySelector("button") ?? bring.querySelector("input")).focus();
    columns.forEach((column, i) => { column.grid.scrollTop = scrolled[i] ?? 0; });
    refocus();
    const grafts = (model.get("_sheet").grafts ?? []).length;
    count.textContent = grafts ? `${grafts} ${grafts === 1 ? "graft" : "grafts"}` : "";
    tell(null);
  };
  for (const part of ["_result", "_beside", "_sheet"]) model.on(`change:${part}`, draw);
  body.append(head, bring, stage, words, line, grafts(model), outcome(model));
  draw();
  return close;
}

export default { render };
