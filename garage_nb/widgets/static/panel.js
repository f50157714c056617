// What every panel shares: elements, keyboard-safe controls, the frame with its lines, and the watch on the kernel.
// garage_nb/widgets/panel.py joins this text in front of a widget's own module. Text goes in by textContent only.

const PATIENCE = 5000; // ms without a pong before the panel says so; a busy kernel may still answer

function make(tag, name = "", text = undefined) {
  const node = document.createElement(tag);
  node.className = name;
  if (text !== undefined) node.textContent = text;
  return node;
}

/** A focusable control. JupyterLab obeys the attribute on the focused element only: without it `d d` deletes the cell. */
function control(tag, name, label) {
  const node = make(tag, name);
  node.tabIndex = -1;
  node.dataset.lmSuppressShortcuts = "true";
  node.title = label;
  node.setAttribute("aria-label", label);
  return node;
}

/** Sets a trait of the kernel's; what it refuses it sends back. */
function put(model, name, value) {
  model.set(name, value);
  model.save_changes();
}

/** A button that says what it does: `text` on it, `label` on hover and to a screen reader. */
function button(text, label, act) {
  const node = control("button", "gnb-button", label);
  node.type = "button";
  node.tabIndex = 0;
  node.textContent = text;
  node.addEventListener("click", () => act(node));
  return node;
}

/** A control with its name before it. */
function labelled(text, node) {
  const label = make("label", "gnb-label");
  label.append(make("span", "", text), node);
  return label;
}

/** A box for one line of text. `act` is told of it when it is left or Enter is pressed; the notebook hears no key of it. */
function entry(kind, label, act, more = {}) {
  const node = Object.assign(control("input", `gnb-field ${kind}`, label), { type: "text", tabIndex: 0, autocomplete: "off", ...more });
  node.addEventListener("keydown", event => {
    if (event.key !== "Escape") event.stopPropagation();
    if (event.key === "Enter" && !event.isComposing) act(node.value.trim());
  });
  node.addEventListener("change", () => act(node.value.trim()));
  return node;
}

/** A name whose middle gives way when it does not fit; the end stays, from the last number on if that is near it. */
function shortening(text) {
  const node = make("span", "gnb-name"), tail = Math.max(5, /_?\d+\D{0,10}$/.exec(text)?.[0].length ?? 0);
  const cut = text.length > tail + 4 ? text.length - tail : text.length;
  node.append(make("span", "gnb-head", text.slice(0, cut)), make("span", "gnb-tail", text.slice(cut)));
  return node;
}

/** The notebook, or whatever else around the panel takes keys, gets the focus back. */
function leave(el) {
  document.activeElement?.blur();
  el.closest(".jp-Notebook, [tabindex]")?.focus({ preventScroll: true });
}

/** Root, body and lines of a panel. `alive()` is false once the kernel is known to be gone. */
function frame({ model, el }, kind, label) {
  const root = make("section", `gnb ${kind}`);
  root.setAttribute("aria-label", label);
  const body = make("div", "gnb-body");
  const notice = make("p", "gnb-notice");
  notice.setAttribute("role", "status");
  const error = make("p", "gnb-error");
  error.setAttribute("role", "alert");
  root.append(body, notice, error);
  el.append(root);
  root.addEventListener("keydown", event => {
    if (event.key !== "Escape") return;
    event.stopPropagation();
    leave(el);
  });
  const showError = () => { error.textContent = model.get("_error"); };
  model.on("change:_error", showError);
  showError();
  if (model.get("_running") !== undefined) notice.before(engine(model));
  model.on("msg:custom", message => { if (message?.kind === "file") download(message); });
  const close = watch(model, (text, gone) => {
    notice.textContent = text;
    root.classList.toggle("gnb-gone", gone);
    body.inert = gone;
  });
  return { root, body, close, alive: () => !body.inert };
}

/** How far the engine is, and the button that stops it. The button waits a moment: most runs are over before. */
function engine(model) {
  const line = make("p", "gnb-engine");
  const said = make("span", "gnb-progress");
  const cancel = button("Cancel", "Stop the run under way", () => model.send({ kind: "stop" }));
  line.append(said, cancel);
  const show = () => {
    said.textContent = model.get("_progress");
    line.classList.toggle("gnb-running", model.get("_running"));
  };
  model.on("change:_running", show);
  model.on("change:_progress", show);
  show();
  return line;
}

/** Hands a file to the browser: `href` where there is one, else the text. */
function download({ name, text, mime, href }) {
  const link = make("a");
  link.download = name;
  link.href = href ?? URL.createObjectURL(new Blob([text], { type: mime }));
  link.click();
  if (!href) URL.revokeObjectURL(link.href);
}

/** Puts a text on the clipboard, and says so on the button. A page that may not write there has the text selected. */
async function copy(text, shown, node) {
  try {
    await navigator.clipboard.writeText(text);
  } catch {
    getSelection().selectAllChildren(shown);
    if (!document.execCommand("copy")) return;
  }
  const before = node.textContent;
  node.textContent = "Copied";
  setTimeout(() => { node.textContent = before; }, 1200);
}

/** The colour of a share, 0 to 1, between the stops of a scale, as [r, g, b]. */
function colour(share, stops) {
  const place = Math.max(0, Math.min(1, share)) * (stops.length - 1);
  const low = Math.min(Math.floor(place), stops.length - 2);
  return stops[low].map((value, i) => Math.round(value + (stops[low + 1][i] - value) * (place - low)));
}

/** Tells when the kernel does not answer (it may be busy) and when it is gone: `tell(text, gone)`. */
function watch(model, tell) {
  let timer;
  const gone = () => tell("The kernel is gone. Run this cell again.", true);
  const ping = () => {
    clearTimeout(timer);
    timer = setTimeout(() => tell("No answer from the kernel. If it is not busy, run this cell again.", false), PATIENCE);
    try {
      model.send({ kind: "ping" });
    } catch { // a comm whose kernel was restarted throws
      clearTimeout(timer);
      gone();
    }
  };
  model.on("msg:custom", message => {
    if (message?.kind !== "pong") return;
    clearTimeout(timer);
    tell("", false);
  });
  model.on("comm_live_update", () => {
    gone();
    ping();
  });
  ping();
  return () => clearTimeout(timer);
}
