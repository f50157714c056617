"""Check: one thing the doctor looked at."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

State = Literal["ok", "check", "fix"]


@dataclass(frozen=True)
class Check:
    """`ok` needs nothing, `check` is for the user to judge, `fix` will fail; `todo` says what to do about it."""

    name: str
    state: State
    found: str
    todo: str = ""
