"""Notebook: the kernel this runs in and the server in front of it, as far as the kernel can see.

A widget has two halves. The kernel's environment holds one; the page gets the other from the server, which may run in
an environment of its own that never saw the package. That is the usual reason for "Failed to load model class".
"""

from __future__ import annotations

import os
import re
import shutil
import sys
from pathlib import Path
from typing import Any

from .check import Check
from .packages import version

SERVER = re.compile(r"jupyter[-_ ]?(lab|notebook|server|hub)|nbclassic|\bnotebook\b")
PAGE_HALVES = ("anywidget", "@jupyter-widgets/jupyterlab-manager")


def notebook() -> list[Check]:
    kernel = running_kernel()
    if kernel is None:
        return [Check("kernel", "check", "none: this is no notebook", "Ask in a notebook: %garage doctor")]
    return [_subshells(kernel), *_server()]


def running_kernel() -> Any:
    """ipykernel's own, None where no notebook is."""
    shell = getattr(sys.modules.get("IPython"), "get_ipython", lambda: None)()
    return getattr(shell, "kernel", None)


def _subshells(kernel: Any) -> Check:
    known = f"ipykernel {version('ipykernel')}"
    if "kernel subshells" in kernel.kernel_info.get("supported_features", ()):
        return Check("kernel", "ok", f"{known}, with subshells: widgets answer while a cell runs")
    todo = 'For widgets that answer sooner: pip install "ipykernel>=7", then restart the kernel.'
    return Check("kernel", "check", f"{known}, without subshells: widgets answer when the cell is done", todo)


def _server() -> list[Check]:
    started = _started_by()
    if started is None or not SERVER.search(" ".join(started)):
        who = "nothing tells which" if started is None else f"the kernel was started by {_program(started)}"
        return [Check("server", "check", f"unknown: {who}", "A widget tells: %garage show ping")]
    prefix = Path(started[0]).parent.parent
    return [_environment(prefix), _page_halves(prefix)]


def _environment(prefix: Path) -> Check:
    if prefix.resolve() == Path(sys.prefix).resolve():
        return Check("server", "ok", f"in the kernel's environment, {prefix}")
    return Check("server", "check", f"in {prefix}, the kernel in {sys.prefix}", "Both need anywidget and ipywidgets.")


def _page_halves(prefix: Path) -> Check:
    """What the server can hand to the page: of its own environment, and of the folders all environments share."""
    from jupyter_core.paths import SYSTEM_JUPYTER_PATH, jupyter_data_dir

    shared = [str(prefix / "share" / "jupyter"), jupyter_data_dir(), *SYSTEM_JUPYTER_PATH]
    missing = [name for name in PAGE_HALVES if not any(Path(at, "labextensions", name).is_dir() for at in shared)]
    if not missing:
        return Check("widgets", "ok", "the server has their page halves")
    todo = f"{prefix}/bin/python -m pip install anywidget ipywidgets; then restart the server, not the kernel."
    return Check("widgets", "fix", f"the server lacks the page half of {' and '.join(missing)}", todo)


def _started_by() -> list[str] | None:
    """The command of the process that started the kernel, its program with the whole path; None if it is hidden."""
    import psutil

    try:
        process = psutil.Process(int(os.environ["JPY_PARENT_PID"]))
        command, path = process.cmdline(), process.environ().get("PATH", os.defpath)
    except (KeyError, ValueError, psutil.Error):
        return None
    return [shutil.which(command[0], path=path) or command[0], *command[1:]] if command else None


def _program(command: list[str]) -> str:
    return " ".join(Path(word).name for word in command[:3])
