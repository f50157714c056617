"""Ping: whether the page has its half of a widget, and how long it takes there and back."""

from __future__ import annotations

import math
from typing import Any

import traitlets

from ..errors import InputError
from ..view.cards import Card
from .assets import script
from .panel import Panel

UNANSWERED = "The page has not answered"


class Milliseconds(traitlets.TraitType):  # type: ignore[type-arg]  # traitlets before 5.10 takes none
    default_value = None

    def validate(self, obj: Any, value: object) -> float | None:
        if value is None:
            return None
        if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value < math.inf:
            raise InputError(f"{value!r} milliseconds are no time.", "Run the cell again.")
        return float(value)


class Ping(Panel):
    """`milliseconds` is how long the page took; None as long as it has not answered."""

    _esm = script("ping.js")
    milliseconds = Milliseconds().tag(sync=True, front=True)

    def __init__(self, of: object, **options: Any) -> None:
        super().__init__(of, options=options)

    def _summary(self) -> str:
        return UNANSWERED if self.milliseconds is None else f"The page answered in {self.milliseconds:.0f} ms"

    def _picture(self) -> str:
        note = "Widgets need a live notebook. If this stays: restart the server, not the kernel, and reload the page."
        return Card(self._summary(), note=note if self.milliseconds is None else "").html()
