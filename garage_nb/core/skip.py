"""Skip: a block answers with what was kept of an earlier run instead of running.

In generation that is the prompt's pass alone, and the block's keys and values go into the cache as if it had run.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from torch import Tensor, nn

from .kept import again
from .owner import Owner


@dataclass(frozen=True, eq=False)
class Answer:
    """What a block returned, and its keys and values (batch, heads, seq, head_dim) where a cache is being filled."""

    output: Any
    layer: int = 0
    keys_values: tuple[Tensor, Tensor] | None = None

    def given(self, args: tuple[Any, ...], kwargs: Mapping[str, Any], rows: int) -> Any:
        cache = next((item for item in (*args, *kwargs.values()) if hasattr(item, "get_seq_length")), None)
        if self.keys_values is not None and cache is not None:  # none where every step reads the whole text
            cache.update(*self.keys_values, self.layer)
        return again(self.output, rows)


class Skip:
    """Stands before a block's own `forward` while registered; in all runs but its owner's the block runs as ever."""

    def __init__(self, owner: Owner, module: nn.Module, answers: Mapping[int | None, Answer], rows: int = 1) -> None:
        """`answers` by turn, None for every call: given in the first pass, `rows` times over along the batch."""
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
        answer = self.answers.get(self.calls - 1, self.answers.get(None)) if self.owner.standing.passes == 1 else None
        return self._forward(*args, **kwargs) if answer is None else answer.given(args, kwargs, self.rows)


def skip_at(module: nn.Module) -> Skip | None:
    """The skip that stands before the module's forward, if there is one."""
    own = vars(module).get("forward")
    return own if isinstance(own, Skip) else None
