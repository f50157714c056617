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
        """Open the hood on a model. `%garage help` lists the verbs, `%garage help scale` explains one.

            %garage load showroom
            %garage generate "The capital of France is"
            x = %garage capture "The capital of France is" --layers 0,-1
            %garage scale layer_3 0.5
            %garage add layer_3 @direction

        Each line is a method of `garage_nb.Garage` and gives what it returns: `garage.scale("layer_3", 0.5)`.
        `{name}` puts the text of a variable in, `@name` the object itself.
        """
        from ..verbs import call

        assert self.shell is not None
        return call(self.garage, words(line, self.shell.user_ns))

    def after_cell(self, result: Any = None) -> None:
        """Take down what an interrupt in the wrong microsecond may have left on the model."""
        if self._garage is not None and self._garage.loaded:
            from ..core.undisturbed import recover

            recover(self._garage.model)
