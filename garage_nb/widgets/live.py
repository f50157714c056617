"""Live: a panel whose picture the engine works out, asked as fast as a hand moves and answered latest first."""

from __future__ import annotations

import weakref
from collections.abc import Callable, Generator
from functools import cached_property
from pathlib import Path
from typing import Any

import traitlets

from ..core.asked import Asked
from ..errors import CancelledError, InputError
from ..garage import Garage
from .admission import command
from .panel import Panel

Answer = dict[str, Any]
STOPPED = "Stopped."
PATIENCE = 1.0  # seconds that showing a panel waits for its first answer


class Live(Panel):
    """A panel on a Garage, held weakly like its model. Answers are set as traits, all of one piece in one message."""

    _running = traitlets.Bool(False).tag(sync=True)
    _progress = traitlets.Unicode("").tag(sync=True)

    def __init__(self, garage: Garage, *, options: dict[str, Any], **traits: Any) -> None:
        if not isinstance(garage, Garage):
            raise InputError(f"A {type(garage).__name__} is no Garage.", 'Give one: garage = Garage("showroom").')
        self._garage, self.spec = weakref.ref(garage), garage.spec
        super().__init__(garage.model, options=options, **traits)

    @cached_property
    def _asked(self) -> Asked[Answer]:
        return Asked(self._tell, self._over, self._turn)

    @property
    def home(self) -> Garage | None:
        return self._garage()

    @property
    def garage(self) -> Garage:
        """InputError when it is gone from memory, or has another model on the lift than the panel was made for."""
        garage = self.home
        if garage is None:
            raise InputError("The garage of this panel is gone.", "Keep it in a variable, and make the panel again.")
        if not garage.loaded or garage.model is not self.target:
            raise InputError("There is another model on the lift now.", "Make the panel again to see that one.")
        return garage

    def ask(self, work: Callable[[], Generator[Answer, None, None]]) -> None:
        """Run `work` on a thread of its own: each piece it yields is set on the panel. A newer question cuts it short
        after its first piece.
        """
        with self._turn:
            self._running = True
            self._asked.ask(work)

    def wait(self, seconds: float | None = None) -> bool:
        """Whether all that was asked is answered, once it is or when the time is over."""
        return self._asked.wait(seconds)

    @command
    def stop(self) -> None:
        """End the run under way, before the next block of the model. What is shown stays."""
        self._asked.stop()

    def close(self) -> None:
        self._asked.stop()
        super().close()

    def to_html(self, path: str | Path) -> Path:
        """Once all that was asked is answered."""
        self.wait()
        return super().to_html(path)

    def _repr_mimebundle_(self, **kwargs: Any) -> Any:
        """The picture for where no kernel runs has the answer in it, if that is quick."""
        self.wait(PATIENCE)
        return super()._repr_mimebundle_(**kwargs)

    def _tell(self, piece: Answer) -> None:
        with self._turn, self.hold_sync():
            for name, value in piece.items():
                self.set_trait(name, value)

    def _over(self, error: BaseException | None) -> None:
        with self._turn, self.hold_sync():
            self._running = False
            self._progress = STOPPED if isinstance(error, CancelledError) else ""
            if isinstance(error, Exception) and not isinstance(error, CancelledError):
                error.__traceback__ = error.__context__ = error.__cause__ = None  # their frames hold the model
                self._show(error)
