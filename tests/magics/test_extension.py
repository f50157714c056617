"""Loading, reloading and unloading: IPython is as it was, and no model stays in memory."""

from __future__ import annotations

import gc
import importlib
import subprocess
import sys
import weakref
from collections.abc import Callable
from typing import Any

import pytest
from IPython.core.interactiveshell import InteractiveShell

from tests.families import tiny
from tests.restored import hooks_on

Run = Callable[[str], Any]


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


def test_unloading_leaves_the_shell_as_it_was(shell: InteractiveShell, run: Run) -> None:
    loaded = holdings(shell)
    run("%unload_ext garage_nb")
    bare = holdings(shell)

    run("%load_ext garage_nb")
    run("%garage load showroom")
    run("%reload_ext garage_nb")
    assert holdings(shell) == loaded
    run("%unload_ext garage_nb")

    assert holdings(shell) == bare
    assert "garage" in loaded["line"]
    assert "garage" not in bare["line"]
    assert "GarageMagics" not in bare["registry"]


def test_loading_twice_is_loading_once(shell: InteractiveShell, run: Run, capsys: pytest.CaptureFixture[str]) -> None:
    before = holdings(shell)

    run("%load_ext garage_nb")

    assert holdings(shell) == before
    assert "already loaded" in capsys.readouterr().out


def test_unloading_gives_the_model_back(shell: InteractiveShell, run: Run) -> None:
    shell.user_ns["model"] = tiny("gpt2")
    run("%garage load @model;")
    model = weakref.ref(shell.user_ns.pop("model"))
    assert model() is not None

    run("%unload_ext garage_nb")
    gc.collect()

    assert model() is None


def test_reloading_keeps_the_model_and_the_recipe(shell: InteractiveShell, run: Run) -> None:
    shell.user_ns["model"] = tiny("gpt2")
    run("%garage load @model")
    run("%garage scale layer_0 0.5")
    run("%garage scale layer_1 2\n%garage undo")

    run("%reload_ext garage_nb")

    status = run("%garage status")
    assert str(status.recipe) == "scale layer_0 0.5"
    assert len(run("%garage redo").history.now) == 2
    assert shell.meta.get("garage") is None


def test_reloading_in_the_middle_of_a_trial_takes_it_back(shell: InteractiveShell, run: Run) -> None:
    shell.user_ns["model"] = tiny("gpt2")
    run("%garage load @model")

    run("%%garage scale layer_0 0.5\n%reload_ext garage_nb")

    assert run("%garage status").recipe.edits == ()
    assert hooks_on(shell.user_ns["model"]) == {}


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


def test_code_that_is_reloaded_while_one_works_leaves_one_of_everything(shell: InteractiveShell, run: Run) -> None:
    """As `%autoreload` does after an edit of the package's own source."""
    from garage_nb.magics import completion, extension, language

    loaded = holdings(shell)
    run("%garage load showroom;")
    run("%garage scale layer_0 0.5;")
    for module in (completion, language, extension):
        importlib.reload(module)
    run("%reload_ext garage_nb")

    assert holdings(shell) == loaded
    assert str(run("%garage status").recipe) == "scale layer_0 0.5"
