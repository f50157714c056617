"""Skip: a block answers with what was kept of an earlier run instead of running."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from torch import nn

from .kept import again
from .owner import Owner


class Skip:
    """Stands before a block's own `forward` while registered; in all runs but its owner's the block runs as ever."""

    def __init__(self, owner: Owner, module: nn.Module, answers: Mapping[int | None, Any], rows: int = 1) -> None:
        """`answers` by turn, None for every call of the module; each is given `rows` times over along the batch."""
        self.owner, self.module, self.answers, self.rows = owner, module, answers, rows
        self.calls = 0
        self._own = vars(module).get("forward")  # as accelerate sets it
        self._forward = module.forward

    def register(self) -> Skip:
        self.module.forward = self
        return self

    def remove(self) -> None:
        if vars(self.module).get("forward") is not self:
            return
        if self._own is None:
            del self.module.forward
        else:
            self.module.forward = self._own

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        if not self.owner.acting:
            return self._forward(*args, **kwargs)
        self.calls += 1
        turn = self.calls - 1 if self.calls - 1 in self.answers else None
        if turn not in self.answers:
            return self._forward(*args, **kwargs)
        return again(self.answers[turn], self.rows)


def skip_at(module: nn.Module) -> Skip | None:
    """The skip that stands before the module's forward, if there is one."""
    own = vars(module).get("forward")
    return own if isinstance(own, Skip) else None
