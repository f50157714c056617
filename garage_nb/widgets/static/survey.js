// A survey: how far it is, what it says so far as bars along the parts, and the texts that were set aside.

const amount = value => Math.abs(value) >= 1000 || (value !== 0 && Math.abs(value) < 0.001) ? value.toPrecision(3) : value.toFixed(3);

/** How much of the corpus is done; a line without an end where nobody knows how long it is. */
function extent(model) {
  const node = make("div", "gnb-extent"), fill = make("span");
  node.setAttribute("role", "progressbar");
  node.setAttribute("aria-label", "Texts done");
  node.setAttribute("aria-valuemin", 0);
  node.setAttribute("aria-valuemax", 100);
  node.append(fill);
  const show = () => {
    const share = model.get("_share"), known = share >= 0;
    fill.style.width = known ? `${(100 * share).toFixed(1)}%` : "100%";
    node.classList.toggle("gnb-endless", !known);
    if (known) node.setAttribute("aria-valuenow", Math.round(100 * share));
    else node.removeAttribute("aria-valuenow");
  };
  model.on("change:_share", show);
  show();
  return node;
}

/** One bar a part, the output on top, of the statistic that is chosen. */
function chart(model, chosen) {
  const list = make("div", "gnb-found");
  list.setAttribute("role", "list");
  const show = () => {
    const { statistics = [], parts = [], over = {} } = model.get("_shown");
    const values = numbers(model.get("_values"), Float64Array);
    const at = statistics.indexOf(chosen());
    const row = parts.map((part, i) => ({ part, value: at < 0 ? NaN : values[at * parts.length + i] }))
      .filter(one => Number.isFinite(one.value)).reverse();
    const most = Math.max(...row.map(one => Math.abs(one.value)), 0);
    list.setAttribute("aria-label", `${chosen()}, ${over[chosen()] ?? ""}`);
    list.replaceChildren(...row.map(({ part, value }) => {
      const line = make("div", "gnb-share"), bar = make("span", "gnb-track");
      line.setAttribute("role", "listitem");
      bar.append(make("span", "gnb-fill"));
      bar.firstChild.style.width = most ? `${(100 * Math.abs(value)) / most || 0}%` : "0";
      line.append(shortening(part), make("span", "gnb-value", amount(value)), bar);
      line.title = `${part}: ${value}`;
      return line;
    }));
  };
  return { list, show };
}

/** What was not counted, and why. */
function leftOut(model) {
  const box = make("details", "gnb-aside"), head = control("summary", "", "Texts that were set aside"), list = make("ul", "gnb-words");
  head.tabIndex = 0;
  box.append(head, list);
  const show = () => {
    const told = model.get("_aside"), count = model.get("_left_out");
    box.hidden = !count;
    head.textContent = `${count} ${count === 1 ? "text" : "texts"} set aside`;
    head.setAttribute("aria-label", head.textContent);
    const more = count - told.length;
    list.replaceChildren(...told.map(text => make("li", "", text)), ...(more > 0 ? [make("li", "", `and ${more} more, in .survey.aside`)] : []));
  };
  for (const name of ["_aside", "_left_out"]) model.on(`change:${name}`, show);
  show();
  return box;
}

function render({ model, el }) {
  const { body, close, alive } = frame({ model, el }, "gnb-survey", `Survey of ${model.get("_corpus")}`);
  const about = make("p", "gnb-about"), line = make("div", "gnb-line"), which = control("select", "gnb-choice", "Statistic");
  which.tabIndex = 0;
  const onward = button("Go on", "Go on from what is in the ledger", () => alive() && model.send({ kind: "resume" }));
  const empty = make("p", "gnb-empty", "Nothing has been counted yet.");
  const said = make("p", "gnb-legend");
  const { list, show } = chart(model, () => which.value);
  line.append(labelled("Show", which), onward);
  body.append(heading(model), about, extent(model), line, said, empty, list, leftOut(model));

  const draw = () => {
    const { statistics = [], over = {} } = model.get("_shown"), before = which.value;
    if ([...which.options].map(one => one.value).join() !== statistics.join()) {
      which.replaceChildren(...statistics.map(name => Object.assign(make("option", "", name.replaceAll("_", " ")), { value: name })));
      if (statistics.includes(before)) which.value = before;
    }
    const there = statistics.length > 0;
    empty.hidden = there;
    said.hidden = list.hidden = which.parentNode.hidden = !there;
    said.textContent = over[which.value] ?? "";
    onward.hidden = !model.get("_left");
    about.textContent = model.get("_about");
    show();
  };
  which.addEventListener("change", draw);
  for (const name of ["_shown", "_values", "_left", "_about"]) model.on(`change:${name}`, draw);
  draw();
  return close;
}

export default { render };
