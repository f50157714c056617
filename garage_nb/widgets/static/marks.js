// What is marked, onto the cells: picked, changed, coloured by a number. And what says so beside the machine.

/** `2 heads, q`: what of these names is inside a part, by the part's name. */
function insides(names) {
  const parts = new Map();
  for (const name of names) {
    const [, part, unit, number] = name.match(/^([^.]+)\.([a-z]+)(_\d+)?$/) ?? [];
    if (!part) continue;
    const units = parts.get(part) ?? parts.set(part, new Map()).get(part);
    units.set(unit, number ? (units.get(unit) ?? 0) + 1 : 0);
  }
  const told = ([unit, count]) => (count ? `${count} ${unit}${count === 1 ? "" : "s"}` : unit);
  return part => [...(parts.get(part) ?? [])].map(told).join(", ");
}

/** Hard steps, one colour beside the other; `edges` in %, even when left out. */
function steps(way, colours, edges = colours.concat(0).map((_, i) => (100 * i) / colours.length)) {
  return `linear-gradient(${way}, ${colours.map((each, i) => `${each || "#0000"} ${edges[i]}% ${edges[i + 1]}%`).join(", ")})`;
}

/** The colours of heads and experts along the foot of their part. */
function strip(cell, tints) {
  const names = cell.inside.flatMap(each => numbered(cell.name, each.name, each.count));
  if (!names.some(name => tints[name])) return "";
  return steps("to right", names.map(name => tints[name]?.[1]));
}

/** Everything that is marked. Of a closed row, what is inside a part shows on the part. */
function painting({ drawn }, model) {
  return names => {
    const [picked, changed, shade] = [new Set(names), new Set(model.get("changed")), model.get("_shade") ?? {}];
    const [within, touched, tints] = [insides(picked), insides(changed), shade.parts ?? {}];
    const paint = (cell, closed) => {
      const [inside, edits] = closed ? [within(cell.name), touched(cell.name)] : ["", ""];
      const edited = changed.has(cell.name) ? "changed" : edits && `${edits} changed`;
      const [number, colour, ink] = tints[cell.name] ?? ["", "", ""];
      const words = [cell.words, number && `${shade.short} ${number}`.trim(), inside && `${inside} picked`, edited];
      const { node } = cell;
      node.title = words.filter(Boolean).join(", ");
      node.setAttribute("aria-label", node.title);
      node.setAttribute("aria-selected", String(picked.has(cell.name)));
      node.classList.toggle("gnb-changed", Boolean(edited));
      node.classList.toggle("gnb-within", Boolean(inside));
      if (cell.beside) cell.beside.textContent = inside || number || cell.figures;
      node.classList.toggle("gnb-shaded", Boolean(colour));
      node.style.setProperty("--gnb-tint", colour);
      node.style.setProperty("--gnb-on", ink);
      node.style.backgroundImage = strip(cell, tints);
    };
    for (const row of drawn) for (const cell of [...row.cells, ...row.units]) paint(cell, !row.units.length);
  };
}

/** Model, size and how much was changed. `paint` writes the last. */
function heading(model) {
  const line = make("p", "gnb-title");
  const name = shortening(model.get("_title"));
  name.title = model.get("_title");
  const count = make("span", "gnb-count");
  line.append(name, make("span", "gnb-about", model.get("_about")), count);
  const paint = () => {
    const changed = model.get("changed");
    count.textContent = changed.length ? `${changed.length} changed` : "";
    count.title = changed.join(", ");
  };
  return { line, paint };
}

/** What the colours stand for. */
function legend(model) {
  const line = make("p", "gnb-key");
  const paint = () => {
    const { told, stops, ends } = model.get("_shade") ?? {};
    line.replaceChildren();
    if (!told) return;
    const [bar, scale] = [make("span", "gnb-scale"), make("span", "gnb-key-ends")];
    bar.style.background = steps("to right", stops);
    scale.setAttribute("aria-hidden", "true");
    scale.append(make("span", "", ends[0]), bar, make("span", "", ends[1]));
    line.append(make("span", "", told), scale);
  };
  return { line, paint };
}

/** All rows beside a machine that is taller than its window: a strip for each side of the stream, and where one looks. */
function overview({ grid, drawn }) {
  const rail = make("div", "gnb-rail");
  rail.setAttribute("aria-hidden", "true"); // the keyboard has Home, End and pages
  const strips = [-1, 0, 1].map(side => [side, rail.appendChild(make("i", "gnb-lane"))]);
  const view = rail.appendChild(make("i", "gnb-seen"));
  const share = height => (100 * height) / grid.scrollHeight;
  const colourOf = ({ node }) => {
    if (node.ariaSelected === "true" || node.classList.contains("gnb-within")) return "var(--gnb-pick)";
    return node.classList.contains("gnb-changed") ? "var(--gnb-amber)" : node.style.getPropertyValue("--gnb-tint");
  };
  const follow = () => {
    view.style.top = `${share(grid.scrollTop)}%`;
    view.style.height = `${share(grid.clientHeight)}%`;
  };
  const paint = () => {
    const edges = [...drawn.map(row => row.line.offsetTop), grid.scrollHeight].map(share);
    for (const [side, node] of strips) {
      const colour = row => row.cells.filter(cell => Math.sign(cell.column - RESIDUAL) === side).map(colourOf).find(Boolean);
      node.style.background = steps("to bottom", drawn.map(colour), edges);
    }
    follow();
  };
  const jump = event => {
    if (!event.buttons) return;
    const box = rail.getBoundingClientRect();
    grid.scrollTop = ((event.clientY - box.top) / box.height) * grid.scrollHeight - grid.clientHeight / 2;
  };
  rail.addEventListener("pointerdown", jump);
  rail.addEventListener("pointermove", jump);
  grid.addEventListener("scroll", follow);
  return { rail, paint };
}
