"""Loading and unloading: what is put into IPython is taken out again, all of it."""

from __future__ import annotations

from typing import Any

NAME = "garage"


def load(shell: Any) -> None:
    from .language import GarageMagics

    unload(shell)
    magics = GarageMagics(shell)
    shell.register_magics(magics)
    shell.events.register("post_run_cell", magics.after_cell)


def unload(shell: Any) -> None:
    from .language import GarageMagics

    for magics in [item for item in shell.configurables if type(item).__name__ == GarageMagics.__name__]:
        shell.configurables.remove(magics)
        shell.events.unregister("post_run_cell", magics.after_cell)
    shell.magics_manager.magics["line"].pop(NAME, None)
    shell.magics_manager.registry.pop(GarageMagics.__name__, None)  # it would keep the model in memory
