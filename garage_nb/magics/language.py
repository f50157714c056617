"""%garage and %%garage over the table of verbs. `x = %garage capture "Hi"` is `x = garage.capture("Hi")`."""

from __future__ import annotations

from typing import Any

from IPython.core.magic import Magics, line_cell_magic, magics_class, no_var_expand

from ..errors import InputError
from ..words import filled, silenced, words
from .body import run_body
from .failing import let_go
from .options import Options, taken


@magics_class
class GarageMagics(Magics):
    """Holds the notebook's one Garage; everything else is the engine's."""

    def __init__(self, shell: Any, garage: Any = None) -> None:
        super().__init__(shell=shell)
        self.made = garage
        self._cell = ""

    @property
    def garage(self) -> Any:
        """Made on first use: making it imports torch."""
        if self.made is None:
            from ..garage import Garage

            self.made = Garage()
        return self.made

    @line_cell_magic("garage")  # type: ignore[arg-type]
    @no_var_expand
    def line(self, line: str, cell: str | None = None) -> Any:
        """Open the hood on a model. `%garage help` lists the verbs, `%garage help scale` explains one.

            %garage load showroom
            %garage generate "The capital of France is"
            x = %garage capture "The capital of France is" --layers 0,-1
            %garage scale layer_3 0.5
            %garage add layer_3 @direction

        Each line is a method of `garage_nb.Garage` and gives what it returns: `garage.scale("layer_3", 0.5)`.
        `{name}` and `$name` put the text of a variable in, `@name` the object itself; in quotes nothing is read.

        A cell under `%%garage scale layer_3 0.5` runs with that in force, for your own calls of the model too, and
        it is taken back at the end. A cell under `%%garage capture` is the prompt.

        On every line: `--as name` keeps the answer in a variable, `--debug` shows an error whole. On a cell that is a
        prompt: `--fmt` puts variables in for `{name}`.
        """
        __tracebackhide__ = True
        shell: Any = self.shell
        options, spelt = taken(words(line, shell.user_ns))
        answer = self._called(spelt, options) if cell is None else self._over(cell, spelt, options)
        if options.name is not None:
            shell.push({options.name: answer})
        shown = options.name is None and not (silenced(line) and _is_last(line, self._cell))
        return answer if shown else None

    def before_cell(self, info: Any) -> None:
        self._cell = info.raw_cell

    def after_cell(self, result: Any = None) -> None:
        """Take down what an interrupt in the wrong microsecond may have left on the model."""
        if self.made is not None and self.made.loaded:
            from ..core.undisturbed import recover

            recover(self.made.model)

    def _called(self, spelt: list[Any], options: Options) -> Any:
        from ..offers import page
        from ..verbs import call

        always_whole = self.made is not None and self.made.settings.debug
        with let_go(whole=options.debug or always_whole):
            shown = page(spelt) if self.made is None else None
            return call(self.garage, spelt) if shown is None else shown

    def _over(self, cell: str, spelt: list[Any], options: Options) -> Any:
        """A cell is the prompt of a verb that reads one, and runs under one that changes something."""
        from ..verbs import Text, find, verbs_of

        __tracebackhide__ = True
        shell: Any = self.shell
        if not cell.strip():
            raise InputError("There is nothing in the cell.", "Write below the %%garage line, or use %garage.")
        entry = find(verbs_of(type(self.garage)), str(spelt[0])) if spelt else None
        if entry is not None and entry.prompted:
            prompt = cell.removesuffix("\n")
            text = filled(prompt, shell.user_ns) if options.fmt else prompt
            return self._called([*spelt, "--prompt", Text(text)], options)
        if entry is not None and not entry.edits:
            raise InputError(f"{entry.name} has no use for a cell.", f"Write %garage {entry.name} …, on one line.")
        with self.garage.trial(lambda garage: self._called(spelt, options) if spelt else None):
            return run_body(shell, cell)


def _is_last(line: str, cell: str) -> bool:
    """Whether the cell ends in this line, its answer given to nobody: IPython looks for a `;` in Python alone."""
    lines = cell.strip().split("\n")
    return lines[0].startswith("%%garage") or " ".join(lines[-1].split()) == " ".join(["%garage", *line.split()])
