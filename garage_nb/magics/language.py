"""%garage: one line magic over the table of verbs. `x = %garage capture "Hi"` is `x = garage.capture("Hi")`."""

from __future__ import annotations

from typing import Any

from IPython.core.magic import Magics, line_magic, magics_class, no_var_expand

from .words import words


@magics_class
class GarageMagics(Magics):
    """Holds the notebook's one Garage; everything else is the engine's."""

    def __init__(self, shell: Any) -> None:
        super().__init__(shell=shell)
        self._garage: Any = None

    @property
    def garage(self) -> Any:
        """Made on first use: making it imports torch."""
        if self._garage is None:
            from ..garage import Garage

            self._garage = Garage()
        return self._garage

    @line_magic("garage")  # type: ignore[arg-type]
    @no_var_expand
    def line(self, line: str) -> Any:
        from ..verbs import call

        assert self.shell is not None
        return call(self.garage, words(line, self.shell.user_ns))

    def after_cell(self, result: Any = None) -> None:
        """Take down what an interrupt in the wrong microsecond may have left on the model."""
        if self._garage is not None and self._garage.loaded:
            from ..core.attach import sweep

            sweep(self._garage.model)
