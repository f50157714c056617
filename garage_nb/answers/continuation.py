"""Continuation: a text as it was written, token by token, with how sure the model was of each."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from difflib import SequenceMatcher
from typing import Any

import torch
from jaxtyping import Float, Int
from torch import Tensor

from ..core.progress import progress


@dataclass(frozen=True)
class Continuation:
    """`probabilities` are the model's own, whatever the temperature was that the tokens were drawn at."""

    tokens: tuple[str, ...] = ()
    probabilities: tuple[float, ...] = ()

    def __len__(self) -> int:
        return len(self.tokens)


def differing(a: Sequence[str], b: Sequence[str]) -> tuple[tuple[bool, ...], tuple[bool, ...]]:
    """Of each token of two texts, whether the other does not have it there: in the longest they have in common."""
    alike = SequenceMatcher(None, a, b, autojunk=False).get_matching_blocks()
    ours = {block.a + i for block in alike for i in range(block.size)}
    theirs = {block.b + i for block in alike for i in range(block.size)}
    return tuple(i not in ours for i in range(len(a))), tuple(i not in theirs for i in range(len(b)))


class Scribe:
    """Sits in transformers' loop: told the logits of each step, then the token that was taken."""

    def __init__(self, tokens: int) -> None:
        self._bar = progress("generating", "token", tokens)
        self._logits: Float[Tensor, " vocab"] | None = None
        self._shares: list[Tensor] = []

    def __enter__(self) -> Scribe:
        return self

    def __exit__(self, *how: object) -> None:
        self._bar.close()

    def options(self) -> dict[str, Any]:
        """What makes transformers tell it; processors of one's own are asked before the temperature's."""
        from transformers import LogitsProcessorList

        return {"streamer": self, "logits_processor": LogitsProcessorList([self])}

    def __call__(self, input_ids: Int[Tensor, "batch seq"], scores: Float[Tensor, "batch vocab"]) -> Tensor:
        self._logits = scores[0]
        return scores

    def put(self, ids: Int[Tensor, " new"]) -> None:
        """The whole prompt first, then token by token."""
        if self._logits is not None:
            self._shares.append(self._logits.float().softmax(-1)[int(ids)])
            self._bar.update()

    def end(self) -> None:
        """Nothing is left to show; the bar closes with the block."""

    def probabilities(self) -> tuple[float, ...]:
        """Of every token put, from the device all at once."""
        return tuple(torch.stack(self._shares).tolist()) if self._shares else ()
