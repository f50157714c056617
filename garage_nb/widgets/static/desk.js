// Faders: one for each part, linear or logarithmic, with bypass and solo.

const LEAST = -5, MOST = 5; // log faders go from 1/32 to 32, and start from there where the factor is below
const SCALES = {
  linear: { min: 0, max: 2, step: 0.01, place: factor => factor, factor: place => place },
  log: { min: LEAST, max: MOST, step: 0.05, place: factor => Math.log2(Math.max(factor, 2 ** LEAST)), factor: place => 2 ** place },
};
const round = factor => Number(factor.toPrecision(3));

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
  const number = entry("gnb-number", `Factor of ${part}, typed`, text => {
    const factor = Number(text.replace(",", "."));
    if (text && Number.isFinite(factor) && factor !== shown) moved(part, factor, Date.now());
    else number.value = String(shown);
  }, { inputMode: "decimal" });
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
  let shown = 1;
  const paint = (factor, bypassed, soloed, waits) => {
    shown = round(factor);
    if (!held && !waits) slide.value = String(scale.place(factor));
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
  const hint = "Add faders: parts or a selector, such as layer_2 or attention_*";
  const add = entry("", hint, selector => {
    if (selector) model.send({ kind: "add", selector });
    add.value = "";
  }, { placeholder: "layer_2, attention_*" });
  const kind = control("select", "gnb-choice", "Scale of the faders: linear to 2, or logarithmic from 1/32 to 32");
  kind.tabIndex = 0;
  for (const name of Object.keys(SCALES)) kind.append(new Option(name, name));
  const foot = make("div", "gnb-line");
  foot.append(labelled("Add", add), labelled("Faders", kind));
  node.append(faders, empty, foot);
  const write = (name, value) => alive() && put(model, name, value);
  // Moves that the kernel has not taken yet: one message may take the place of another that waits, so each carries all.
  const sent = new Map();
  let last = null;
  const settle = () => {
    const [gesture, factors] = model.get("_taken");
    for (const [part, factor] of sent) if (gesture === last[0] && factor === factors[part]) sent.delete(part);
  };
  const acts = {
    moved: (part, factor, gesture) => {
      settle();
      sent.set(part, factor);
      last = [gesture, Object.fromEntries(sent)];
      write("_move", last);
    },
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
      const muted = ["bypassed", "soloed"].map(name => model.get(name).includes(part));
      paint(factors[part] ?? 1, ...muted, sent.has(part));
    }
  };
  const lay = () => {
    drawn = model.get("parts").map(part => ({ part, ...fader(part, SCALES[kind.value], acts) }));
    faders.replaceChildren(...drawn.map(each => each.row));
    empty.hidden = drawn.length > 0;
    paint();
  };
  model.on("change:_taken", () => { settle(); paint(); });
  model.on("change:_move", () => { // a refused move comes back as what stands in the kernel
    if (model.get("_move") === last) return;
    sent.clear();
    paint();
  });
  kind.addEventListener("change", lay);
  model.on("change:parts", lay);
  for (const name of ["factors", "bypassed", "soloed"]) model.on(`change:${name}`, paint);
  lay();
  return node;
}
