// What views of a prompt share: tokens as text, ink that reads on a colour, the prompt's box, and lists with bars.

const BLACK = [0, 0, 0], WHITE = [255, 255, 255];

/** A space is seen: the token " Paris" is another one than "Paris". */
function spelt(token) {
  return token.replaceAll(" ", "·") || "∅";
}

/** A name that may be shortened to the eye, and is whole on hover and to a screen reader. */
function called(node, name) {
  node.title = name;
  node.setAttribute("aria-label", name);
  node.append(shortening(name));
}

function css(rgb) {
  return `rgb(${rgb.join(", ")})`;
}

function luminance(rgb) {
  const [r, g, b] = rgb.map(value => value / 255).map(v => (v <= 0.04045 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4));
  return 0.2126 * r + 0.7152 * g + 0.0722 * b;
}

/** Black or white, whichever stands out more: at least 4.5 to 1 on every colour there is. */
function ink(rgb) {
  return luminance(rgb) > 0.179 ? BLACK : WHITE;
}

function paint(node, share) {
  const ground = colour(share, AMOUNTS);
  node.style.background = css(ground);
  node.style.color = css(ink(ground));
}

function unpaint(node) {
  node.style.background = node.style.color = "";
}

/** Numbers that came as bytes. */
function numbers(view, kind = Float32Array) {
  return view ? new kind(view.buffer.slice(view.byteOffset, view.byteOffset + view.byteLength)) : new kind(0);
}

/** A share, an entropy or a divergence. */
function figure(value) {
  return value >= 0.0005 || value < 1e-9 ? value.toFixed(value >= 100 ? 0 : 3) : "<0.001";
}

/** A text box that sets a trait on Enter; Shift+Enter begins a line. Where nothing changed, it is asked again. */
function box(model, trait, label, hint) {
  const field = control("textarea", "gnb-field gnb-text", label);
  field.tabIndex = 0;
  field.rows = 1;
  field.placeholder = hint;
  const show = () => { field.value = model.get(trait); };
  const send = () => {
    if (field.value === model.get(trait)) return model.send({ kind: "again" });
    put(model, trait, field.value);
  };
  field.addEventListener("keydown", event => {
    if (event.key !== "Escape") event.stopPropagation();
    if (event.key !== "Enter" || event.shiftKey || event.isComposing) return;
    event.preventDefault();
    send();
  });
  model.on(`change:${trait}`, show);
  show();
  return { field, send };
}

/** The model, and in amber how many edits of the user's are in force. */
function heading(model) {
  const line = make("p", "gnb-title");
  const name = shortening(model.get("_title"));
  name.title = model.get("_title");
  const count = make("span", "gnb-count");
  line.append(name, count);
  const show = () => {
    const edits = model.get("_changes");
    count.textContent = edits ? `${edits} ${edits === 1 ? "edit" : "edits"} in force` : "";
  };
  model.on("change:_changes", show);
  show();
  return line;
}

/** Names with their shares as bars, the largest first. `pick` makes each a button. */
function bars(list, rows, pick) {
  list.replaceChildren(...rows.map(row => {
    const line = pick ? button("", row.label, () => pick(row)) : make("div");
    line.classList.add("gnb-share");
    const bar = make("span", "gnb-track");
    bar.append(make("span", "gnb-fill"));
    bar.firstChild.style.width = `${Math.min(100, row.share * 100)}%`;
    line.append(shortening(row.text), make("span", "gnb-value", figure(row.share)), bar);
    line.title = row.label;
    return line;
  }));
}

/** The colours of a scale, between its ends in figures. */
function legend(line, words, low, high) {
  const ramp = make("span", "gnb-ramp"), ends = make("span", "gnb-ends");
  ramp.style.background = `linear-gradient(to right, ${AMOUNTS.map(css).join(", ")})`;
  ends.append(make("span", "", low), ramp, make("span", "", high));
  line.replaceChildren(make("span", "", words), ends);
}
