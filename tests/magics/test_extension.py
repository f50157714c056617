"""Loading, reloading and unloading: IPython is as it was, and no model stays in memory."""

from __future__ import annotations

import gc
import subprocess
import sys
import weakref
from typing import Any

import pytest
from IPython.core.interactiveshell import InteractiveShell

from tests.families import tiny


def holdings(shell: InteractiveShell) -> dict[str, Any]:
    """Where an extension leaves things."""
    manager = shell.magics_manager
    return {
        "line": sorted(manager.magics["line"]),
        "cell": sorted(manager.magics["cell"]),
        "registry": sorted(manager.registry),
        "configurables": [type(item).__name__ for item in shell.configurables],
        "callbacks": {event: len(found) for event, found in shell.events.callbacks.items()},
        "variables": sorted(name for name in shell.user_ns if not name.startswith("_")),
    }


def test_unloading_leaves_the_shell_as_it_was(shell: InteractiveShell) -> None:
    loaded = holdings(shell)
    shell.run_line_magic("unload_ext", "garage_nb")
    bare = holdings(shell)

    shell.run_line_magic("load_ext", "garage_nb")
    shell.run_line_magic("garage", "load showroom")
    shell.run_line_magic("reload_ext", "garage_nb")
    assert holdings(shell) == loaded
    shell.run_line_magic("unload_ext", "garage_nb")

    assert holdings(shell) == bare
    assert "garage" in loaded["line"]
    assert "garage" not in bare["line"]
    assert "GarageMagics" not in bare["registry"]


def test_loading_twice_is_loading_once(shell: InteractiveShell, capsys: pytest.CaptureFixture[str]) -> None:
    before = holdings(shell)

    shell.run_line_magic("load_ext", "garage_nb")

    assert holdings(shell) == before
    assert "already loaded" in capsys.readouterr().out


def test_unloading_gives_the_model_back(shell: InteractiveShell) -> None:
    shell.user_ns["model"] = tiny("gpt2")
    shell.run_line_magic("garage", "load @model")
    model = weakref.ref(shell.user_ns.pop("model"))
    assert model() is not None

    shell.run_line_magic("unload_ext", "garage_nb")
    gc.collect()

    assert model() is None


def test_the_magics_own_help_shows_how_to_go_on(shell: InteractiveShell) -> None:
    text = shell.find_line_magic("garage").__doc__

    assert "%garage help" in text
    assert 'garage.scale("layer_3", 0.5)' in text


def test_importing_and_loading_do_not_import_torch() -> None:
    script = """
import sys
from IPython.core.interactiveshell import InteractiveShell
from traitlets.config import Config
import garage_nb
shell = InteractiveShell.instance(config=Config({"HistoryManager": {"enabled": False}}))
shell.run_line_magic("load_ext", "garage_nb")
assert "garage" in shell.magics_manager.magics["line"]
print(sorted({"torch", "transformers", "matplotlib", "anywidget", "pandas", "cyclopts"} & set(sys.modules)))
"""
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, timeout=120)

    assert done.stdout.strip().split("\n")[-1] == "[]", done.stderr
