"""Traits of more than one widget that refuse what makes no sense, for Python and for the page alike."""

from __future__ import annotations

from typing import Any

import traitlets

from ..errors import InputError

LONGEST = 20_000  # characters


class Prompt(traitlets.TraitType):  # type: ignore[type-arg]  # traitlets before 5.10 takes none
    """A text; whether the model can take it shows when it runs."""

    default_value = ""

    def validate(self, obj: Any, value: object) -> str:
        if not isinstance(value, str):
            raise InputError(f"A prompt is a text, not {type(value).__name__}.", "Type one into the box.")
        if len(value) > LONGEST:
            raise InputError(f"The prompt has {len(value)} characters.", f"A panel takes at most {LONGEST}.")
        if any("\ud800" <= sign <= "\udfff" for sign in value):
            raise InputError("The prompt holds half a character, which no message can carry.", "Type it anew.")
        return value


class Count(traitlets.TraitType):  # type: ignore[type-arg]
    """A whole number from `least` to `most`."""

    def __init__(self, default: int, *, least: int, most: int) -> None:
        super().__init__(default)
        self.least, self.most = least, most

    def validate(self, obj: Any, value: object) -> int:
        if isinstance(value, bool) or not isinstance(value, int) or not self.least <= value <= self.most:
            raise InputError(
                f"{str(value)[:40]!r} cannot be taken for {self.name}.",
                f"A whole number from {self.least} to {self.most}.",
            )
        return value
