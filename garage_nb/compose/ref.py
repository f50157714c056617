"""Ref: parts of a donor, as one writes them: `b[2:6]`, `b[attention_5]`, `b`; without a donor, the base's own."""

from __future__ import annotations

import re
from dataclasses import dataclass

from ..errors import InputError

_FORM = re.compile(r"(?P<donor>[^\[\],;]*?)\s*(?:\[(?P<parts>[^\[\]]+)\])?")
_ONE = r"(?:-?\d+|-?\d*:-?\d*(?::-?\d*)?)"
_LAYERS = re.compile(rf"{_ONE}(?:,{_ONE})*|all")


@dataclass(frozen=True)
class Ref:
    """`donor` is its name on the sheet, empty for the base. `parts` is a selector in it, empty for the same place."""

    donor: str = ""
    parts: str = ""

    @classmethod
    def of(cls, text: str) -> Ref:
        """Layer numbers alone are the base's own; any other bare word is a donor."""
        if _LAYERS.fullmatch(text.strip()):
            return cls("", text.strip())
        found = _FORM.fullmatch(text.strip())
        if found is None or not (found["donor"] or found["parts"]):
            raise InputError(f"{text!r} names no part of a donor.", "Write b[2:6], b[attention_5], or b.")
        return cls(found["donor"], found["parts"] or "")

    def __str__(self) -> str:
        if self.donor and self.parts:
            return f"{self.donor}[{self.parts}]"
        return self.donor or (self.parts if _LAYERS.fullmatch(self.parts) else f"[{self.parts}]")
