"""Eager: while edits are held, compiled wrappers run as the plain code they were made of.

Compiled code ignores hooks, and nothing on a model tells that a wrapper of it exists: `torch.compile(model)`, called
in a block on `model`, would answer as if no edit were there. So all compiled code of the process waits, not that of
one model.
"""

from __future__ import annotations

import sys
from typing import Any
from weakref import WeakSet

import torch

_HOLDING: WeakSet[Any] = WeakSet()
_OURS: list[Any] = []  # the stance we took, which knows the one before


def hold(owner: object) -> None:
    _HOLDING.add(owner)
    _settle()


def let_go(owner: object) -> None:
    _HOLDING.discard(owner)
    _settle()


def _settle() -> None:
    """Taken when the first edit is held, given back with the last. Nothing is compiled where dynamo is not loaded."""
    if _HOLDING and not _OURS and "torch._dynamo" in sys.modules:
        _OURS.append(torch.compiler.set_stance("force_eager"))
    elif not _HOLDING and _OURS:
        _OURS[-1].__exit__(None, None, None)
        _OURS.pop()
