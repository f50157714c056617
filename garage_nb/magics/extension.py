"""Loading and unloading: what is put into IPython is taken out again, all of it."""

from __future__ import annotations

from typing import Any

from . import completion

NAME = "garage"


def load(shell: Any) -> None:
    from .language import GarageMagics

    unload(shell)
    kept = shell.meta.get(NAME)
    magics = GarageMagics(shell, kept and kept.garage)
    if kept is not None:
        kept.let_go()
    shell.register_magics(magics)
    shell.events.register("pre_run_cell", magics.before_cell)
    shell.events.register("post_run_cell", magics.after_cell)
    completion.register(shell, magics)


def unload(shell: Any) -> None:
    from .language import GarageMagics

    completion.unregister(shell)
    for magics in [item for item in shell.configurables if type(item).__name__ == GarageMagics.__name__]:
        shell.configurables.remove(magics)
        shell.events.unregister("pre_run_cell", magics.before_cell)
        shell.events.unregister("post_run_cell", magics.after_cell)
        _Kept(shell, magics.made)
    for kind in ("line", "cell"):
        shell.magics_manager.magics[kind].pop(NAME, None)
    shell.magics_manager.registry.pop(GarageMagics.__name__, None)  # it would keep the model in memory


class _Kept:
    """`%reload_ext` unloads and loads in one cell; what nobody has taken up when that ends is let go."""

    def __init__(self, shell: Any, garage: Any) -> None:
        self.shell, self.garage = shell, garage
        if garage is not None:
            shell.meta[NAME] = self
            shell.events.register("post_run_cell", self.let_go)

    def let_go(self, result: Any = None) -> None:
        self.shell.meta.pop(NAME, None)
        self.shell.events.unregister("post_run_cell", self.let_go)
