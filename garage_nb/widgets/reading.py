"""Reading: a live panel that shows what the model makes of one prompt, and again whenever the recipe changes."""

from __future__ import annotations

from collections.abc import Generator
from typing import Any

import traitlets

from ..garage import Garage
from ..plain import one_line
from ..view.cards import Card
from ..view.markup import page
from ..view.shown import Picture
from .admission import command
from .live import Answer, Live
from .traits import Prompt

NOTHING = Card("Nothing has been read yet.", note="Type a prompt and press Enter, or set .prompt.")


class Reading(Live):
    """`prompt` can be set here and in the page; the answer comes on a thread of its own, `wait()` waits for it."""

    prompt = Prompt().tag(sync=True, front=True)
    _title = traitlets.Unicode().tag(sync=True)
    _changes = traitlets.Int(0).tag(sync=True)

    def __init__(self, garage: Garage, prompt: str = "", *, options: dict[str, Any], **traits: Any) -> None:
        super().__init__(garage, options=options, **traits)
        self._title = one_line(self.spec.model_id)
        garage.bell.listen(self._follow)
        self.prompt = prompt

    def pieces(self, garage: Garage, *, following: bool) -> Generator[Answer, None, None]:
        """The answer. `following`: the recipe is being changed, so that the first piece must be a picture."""
        raise NotImplementedError

    def shown(self) -> Picture | None:
        """What stands for the latest answer where no kernel runs; None before the first."""
        raise NotImplementedError

    @command
    def again(self) -> None:
        """Read the prompt once more."""
        self._read()

    def _read(self, *, following: bool = False) -> None:
        garage = self.garage
        if self.prompt.strip():
            self.set_trait("_changes", len(garage.edits))
            self.ask(lambda: self.pieces(garage, following=following))

    @traitlets.observe("prompt")
    def _prompted(self, change: object) -> None:
        self._read()

    def _follow(self) -> None:
        """The garage has changed: the recipe, or the model on the lift, which the panel then says."""
        if self.comm is not None:
            self._guarded(lambda: self._read(following=True))

    def _summary(self) -> str:
        return f"{self._title}, {self.prompt!r}"

    def _picture(self) -> str:
        return page((self.shown() or NOTHING).html())
