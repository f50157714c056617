// A survey: what it says so far as bars along the parts, the texts that were set aside, and how far it is.

const MANY = 20; // rows that are in sight at once

/** A number of any size in at most eight signs. */
function amount(value) {
  const size = Math.abs(value);
  return size >= 1e6 || (size > 0 && size < 0.001) ? value.toExponential(2) : value.toFixed(size >= 1000 ? 0 : 3);
}

/** How much of the corpus is done, while that is under way and where anybody knows how long it is. */
function extent(model) {
  const node = make("div", "gnb-extent"), fill = make("span");
  node.setAttribute("role", "progressbar");
  node.setAttribute("aria-label", "Texts done");
  node.append(fill);
  const show = () => {
    const share = model.get("_share");
    node.hidden = share < 0 || share >= 1;
    fill.style.width = `${(100 * share).toFixed(1)}%`;
    node.setAttribute("aria-valuenow", Math.round(100 * share));
    node.setAttribute("aria-valuetext", model.get("_progress"));
  };
  for (const name of ["_share", "_progress"]) model.on(`change:${name}`, show);
  show();
  return node;
}

/** One bar a part, from zero to either side. */
function row(part, value, low, span) {
  const line = make("div", "gnb-share"), bar = make("span", "gnb-track"), fill = make("span", "gnb-fill");
  fill.style.marginLeft = `${(100 * (Math.min(value, 0) - low)) / span}%`;
  fill.style.width = `${(100 * Math.abs(value)) / span}%`;
  bar.append(fill);
  line.setAttribute("role", "listitem");
  line.setAttribute("aria-label", `${part}: ${amount(value)}`);
  line.title = `${part}: ${value}`;
  line.append(shortening(part), make("span", "gnb-value", amount(value)), bar);
  return line;
}

/** The parts, the output on top, with the means of one statistic. */
function chart(model) {
  const list = make("div", "gnb-found");
  list.setAttribute("role", "list");
  list.dataset.lmSuppressShortcuts = "true";
  const show = name => {
    const { statistics = [], parts = [], over = {} } = model.get("_shown"), values = numbers(model.get("_values"), Float64Array);
    const at = statistics.indexOf(name) * parts.length;
    const there = parts.map((part, i) => [part, values[at + i]]).filter(([, value]) => Number.isFinite(value)).reverse();
    const low = Math.min(0, ...there.map(one => one[1])), high = Math.max(0, ...there.map(one => one[1]));
    list.setAttribute("aria-label", `${name}: ${over[name] ?? ""}`);
    if (there.length > MANY) list.tabIndex = 0; // it scrolls by keyboard
    else list.removeAttribute("tabindex");
    list.replaceChildren(...there.map(([part, value]) => row(part, value, low, high - low || 1)));
  };
  return { list, show };
}

/** What was not counted, and why. */
function leftOut(model) {
  const box = make("details", "gnb-left-out"), head = control("summary", "", "Texts that were set aside"), list = make("ul", "gnb-words");
  head.tabIndex = 0;
  box.append(head, list);
  const show = () => {
    const told = model.get("_aside"), count = model.get("_left_out"), more = count - told.length;
    box.hidden = !count;
    head.textContent = `${count.toLocaleString("en")} ${count === 1 ? "text" : "texts"} set aside`;
    head.setAttribute("aria-label", head.textContent);
    const rest = more > 0 ? [`and ${more.toLocaleString("en")} more, in .survey.aside`] : [];
    list.replaceChildren(...[...told, ...rest].map(text => make("li", "", text)));
  };
  for (const name of ["_aside", "_left_out"]) model.on(`change:${name}`, show);
  show();
  return box;
}

/** The frame's own line with the way on beside its Cancel, where there is either. The focus goes from one to the other. */
function course(model, root, alive) {
  const line = root.querySelector(".gnb-engine"), cancel = line.querySelector("button");
  const onward = button("Go on", "Go on from what is in the ledger", () => alive() && model.send({ kind: "resume" }));
  onward.classList.add("gnb-onward");
  line.append(onward);
  const show = () => {
    const had = line.contains(document.activeElement);
    onward.hidden = !model.get("_left");
    line.hidden = onward.hidden && !model.get("_running") && !model.get("_progress");
    if (had) requestAnimationFrame(() => (onward.hidden ? cancel : onward).focus());
  };
  for (const name of ["_left", "_running", "_progress"]) model.on(`change:${name}`, show);
  show();
  return line;
}

/** The statistics there are, with the one that was chosen still chosen. */
function offer(which, statistics) {
  if ([...which.options].map(one => one.value).join() === statistics.join()) return;
  const before = which.value;
  which.replaceChildren(...statistics.map(name => Object.assign(make("option", "", name.replaceAll("_", " ")), { value: name })));
  if (statistics.includes(before)) which.value = before;
}

function render({ model, el }) {
  const { root, body, close, alive } = frame({ model, el }, "gnb-survey", `Survey of ${model.get("_corpus")}`);
  const about = make("p", "gnb-words"), choose = make("div", "gnb-line"), which = control("select", "gnb-choice", "Statistic");
  const empty = make("p", "gnb-empty"), said = make("span", "gnb-legend");
  const { list, show } = chart(model);
  which.tabIndex = 0;
  choose.append(labelled("Show", which), said);
  body.append(heading(model), about, choose, empty, list, leftOut(model), extent(model), course(model, root, alive));

  const draw = () => {
    const { statistics = [], over = {} } = model.get("_shown"), there = statistics.length > 0;
    offer(which, statistics);
    empty.hidden = there;
    choose.hidden = list.hidden = !there;
    empty.textContent = model.get("_share") === 1 ? "Nothing of it could be counted." : "Numbers stand here as soon as there are some.";
    said.textContent = over[which.value] ?? "";
    about.textContent = model.get("_about");
    show(which.value);
  };
  which.addEventListener("change", draw);
  for (const name of ["_shown", "_values", "_about", "_share"]) model.on(`change:${name}`, draw);
  draw();
  return close;
}

export default { render };
