"""Pages the tests drive: a widget's own module alone, and a notebook in JupyterLab."""

from __future__ import annotations

import time
from base64 import b64encode
from pathlib import Path
from typing import Any

import nbformat.v4 as v4
from playwright.sync_api import Error

from .labserver import ROOT, Lab

SCREENSHOTS = ROOT / "build" / "screenshots"

READY = """async () => {
  const app = window.jupyterapp; if (!app) return false; await app.restored;
  const tab = app.shell.currentWidget; if (!tab?.sessionContext) return false;
  await tab.context.ready; await tab.sessionContext.ready;
  const kernel = tab.sessionContext.session?.kernel; if (!kernel) return false;
  await kernel.info; return kernel.status === 'idle'; }"""
COMMAND = """async ([id, args]) => {
  const answer = await window.jupyterapp.commands.execute(id, args);
  return typeof answer === 'boolean' ? answer : null; }"""
EXECUTE = """async code => {
  let said = ''; const kernel = window.jupyterapp.shell.currentWidget.sessionContext.session.kernel;
  const future = kernel.requestExecute({ code, store_history: false });
  future.onIOPub = ({ header, content }) => {
    if (header.msg_type === 'stream') said += content.text;
    if (header.msg_type === 'error') said += content.ename + ': ' + content.evalue; };
  await future.done; return said.trim(); }"""
RESTART = "() => window.jupyterapp.shell.currentWidget.sessionContext.session.kernel.restart()"
SHUTDOWN = "() => window.jupyterapp?.shell.currentWidget?.sessionContext?.shutdown()"

# The contract of anywidget's model, and nothing of Jupyter: what the module wrote and sent is kept in `T`.
ALONE = """async ({ esm, css, state, width }) => {
  const el = document.createElement('div'); el.style.width = width + 'px'; document.body.replaceChildren(el);
  const style = document.createElement('style'); style.textContent = css; document.head.append(style);
  const view = text => new DataView(Uint8Array.from(atob(text), sign => sign.charCodeAt(0)).buffer);
  for (const name in state) if (state[name]?.base64 !== undefined) state[name] = view(state[name].base64);
  const handlers = {}, saved = [], sent = []; let dirty = {};
  const emit = (name, ...args) => (handlers[name] ?? []).forEach(handler => handler(...args));
  const model = { get: name => state[name], send: content => sent.push(content),
    on: (name, handler) => (handlers[name] ??= []).push(handler),
    set: (name, value) => { if (state[name] !== value) { state[name] = dirty[name] = value; emit('change:' + name); } },
    save_changes: () => { saved.push(dirty); dirty = {}; } };
  const url = URL.createObjectURL(new Blob([esm], { type: 'text/javascript' }));
  const close = (await import(url)).default.render({ model, el });
  await new Promise(done => requestAnimationFrame(() => requestAnimationFrame(done)));
  globalThis.T = { model, el, saved, sent, emit, close }; }"""

# What JupyterLab Dark says of the colours that panels use.
DARK = """() => { document.body.dataset.jpThemeLight = 'false'; document.body.style.background = '#111';
  const style = document.documentElement.style; style.colorScheme = 'dark';
  const told = { 'ui-font-color1': '#fffffff0', 'ui-font-color2': '#ffffffb3', 'layout-color1': '#111',
    'border-color1': '#616161', 'brand-color1': '#64b5f6' };
  for (const name in told) style.setProperty('--jp-' + name, told[name]); }"""


class Watched:
    """A page that remembers console errors and requests that would leave the machine."""

    def __init__(self, browser: Any, home: str, **options: Any) -> None:
        self.context = browser.new_context(reduced_motion="reduce", **options)
        self.page = self.context.new_page()
        self.problems: list[str] = []
        self.external: list[str] = []
        inside = (home, home.replace("http", "ws", 1), "data:", "blob:", "about:")
        self.page.on("console", lambda m: self.problems.append(m.text) if m.type == "error" else None)
        self.page.on("pageerror", lambda error: self.problems.append(str(error)))
        self.page.on("request", lambda r: None if r.url.startswith(inside) else self.external.append(r.url))

    def picture(self, locator: Any, name: str) -> Path:
        file = SCREENSHOTS / f"{name}.png"
        locator.screenshot(path=str(file))
        return file

    def finish(self) -> None:
        self.context.close()
        assert not self.problems, self.problems
        assert not self.external, self.external


class Alone(Watched):
    """A blank page that shows one widget from its own module and a state; no Jupyter and no kernel."""

    def __init__(self, browser: Any) -> None:
        super().__init__(browser, "about:blank", viewport={"width": 1100, "height": 800})

    def show(self, widget: Any, *, width: int = 700, **state: Any) -> Any:
        """Render what the kernel would send of `widget`, with some of it replaced. The panel's locator comes back."""
        sent = {name: value for name, value in widget.get_state().items() if name not in ("layout", "_esm", "_css")}
        text = {"esm": str(widget._esm), "css": str(widget._css), "width": width, "state": _plain({**sent, **state})}
        self.page.evaluate(ALONE, text)
        return self.page.locator(".gnb")

    def dark(self) -> None:
        """As in JupyterLab's dark theme."""
        self.page.evaluate(DARK)

    def get(self, expression: str) -> Any:
        """Of `T`: the model, the element, what was saved and sent, `emit` and `close`."""
        return self.page.evaluate(f"T.{expression}")


def _plain(state: dict[str, Any]) -> dict[str, Any]:
    """Bytes as text; the page makes a DataView of them, as Jupyter's does."""
    return {
        name: {"base64": b64encode(value).decode()} if isinstance(value, bytes) else value
        for name, value in state.items()
    }


class Notebook(Watched):
    """One notebook open in JupyterLab with its kernel ready."""

    def __init__(self, browser: Any, lab: Lab, name: str, cells: list[str]) -> None:
        super().__init__(browser, lab.url, viewport={"width": 1100, "height": 900})
        kernel = {"name": "python3", "display_name": "Python 3", "language": "python"}
        notebook = v4.new_notebook(cells=[v4.new_code_cell(cell) for cell in cells], metadata={"kernelspec": kernel})
        (lab.root / f"{name}.ipynb").write_text(v4.writes(notebook))
        self.page.goto(f"{lab.url}/lab/tree/{name}.ipynb?reset", wait_until="domcontentloaded")
        self.panel = self.page.locator(".jp-NotebookPanel:not(.lm-mod-hidden)")
        self.panel.wait_for(timeout=60_000)
        self.ready()

    def ready(self, seconds: float = 60) -> None:
        """Wait for an idle kernel. A navigation may be in flight, so a failed question is asked again."""
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            try:
                if self.page.evaluate(READY):
                    return
            except Error:
                pass
            self.page.wait_for_timeout(100)
        raise TimeoutError(f"no idle kernel after {seconds} s")

    def command(self, name: str, **args: Any) -> bool | None:
        return self.page.evaluate(COMMAND, [name, args])

    def run_all(self) -> bool | None:
        """True when every cell ran without an error."""
        return self.command("notebook:run-all-cells")

    def cell(self, index: int) -> Any:
        return self.panel.locator(f".jp-Cell[data-windowed-list-index='{index}']")

    def python(self, code: str) -> str:
        """What the code prints in this notebook's kernel; it needs no cell."""
        return self.page.evaluate(EXECUTE, code)

    def python_until(self, code: str, expected: str, seconds: float = 10) -> str:
        """What the code prints once it is `expected`, or when time is up: the page's messages are on their way."""
        end = time.monotonic() + seconds
        while (said := self.python(code)) != expected and time.monotonic() < end:
            self.page.wait_for_timeout(50)
        return said

    def theme(self, name: str) -> None:
        self.command("apputils:change-theme", theme=f"JupyterLab {name}")
        self.page.wait_for_function(f"document.body.dataset.jpThemeLight === '{str(name == 'Light').lower()}'")
        self.page.locator("#jupyterlab-splash").wait_for(state="detached")

    def restart(self) -> None:
        self.page.evaluate(RESTART)
        self.ready()

    def finish(self) -> None:
        self.page.evaluate(SHUTDOWN)
        super().finish()
