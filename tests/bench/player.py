"""Player: one tool answering the benchmark's questions its own fastest documented way.

To add one: a file in `players/` with a `PLAYER` class, and its name in `peers.PLAYERS`. A method prepares, untimed,
and answers the work to be timed; the work answers tensors, which are compared with those of plain hooks.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from typing import Any, ClassVar

from torch import Tensor

Answer = tuple[Tensor, ...]
Work = Callable[[], Answer]
Remarks = Mapping[str, str]


class CannotError(Exception):
    """A tool has no way to answer this; the words stand under the table."""


class Player(ABC):
    """Holds a model of its own; `remarks` say, by question, what a reader must know of how it answers."""

    packages: ClassVar[tuple[str, ...]] = ()
    remarks: ClassVar[Remarks] = {}

    def __init__(self, model: Any) -> None:
        self.model = model

    @abstractmethod
    def statistics(self, ids: Tensor) -> Work:
        """`numbers` of what leaves every layer, (layers, 4); nobody asked for logits."""

    @abstractmethod
    def statistics_and_logits(self, ids: Tensor) -> Work:
        """The same, and the logits of every position."""

    @abstractmethod
    def layer(self, ids: Tensor, index: int) -> Work:
        """What leaves one layer, (1, seq, dim), and nothing else."""

    @abstractmethod
    def idle(self, ids: Tensor) -> Work:
        """All logits of the model as the tool holds it, nothing asked of the tool."""

    @abstractmethod
    def slider(self, ids: Tensor, index: int, scale: float) -> Work:
        """Scale what leaves one layer; logits of the last token, (1, vocab). What earlier moves left may be used."""

    @abstractmethod
    def sweep(self, ids: Tensor, index: int, scales: Tensor) -> Work:
        """The same for many scales, (scales, vocab)."""

    @abstractmethod
    def patch_grid(self, clean: Tensor, corrupt: Tensor) -> Work:
        """`margin` of the corrupt ids with what the clean ones have entering a block at one token, (layers, seq)."""

    @abstractmethod
    def generate(self, ids: Tensor, indices: tuple[int, ...], scale: float, new: int) -> Work:
        """Greedy ids (1, prompt + new), every pass with what leaves these layers scaled."""

    @abstractmethod
    def patterns(self, ids: Tensor) -> Work:
        """Attention patterns of every layer, (heads, seq, seq) each with a batch in front."""


def greedy(new: int) -> dict[str, Any]:
    """Options of transformers' `generate`; the benchmark's models have no token that ends a text."""
    return {"max_new_tokens": new, "do_sample": False, "pad_token_id": 0}


def across(scales: Tensor, hidden: Tensor) -> Tensor:
    """Row i of a batch times scale i."""
    return hidden * scales.to(hidden)[:, None, None]


def margin(logits: Tensor) -> Tensor:
    """The metric of patching, (rows,): logits (rows, vocab) of one token less those of another."""
    return logits[:, 0] - logits[:, 1]


def patched_rows(clean: Tensor, corrupt: Tensor) -> Tensor:
    """(seq, dim) both; (seq, seq, dim): row i of a batch has the clean state at token i, the corrupt ones elsewhere."""
    every = corrupt.expand(len(corrupt), -1, -1).clone()
    every.diagonal(dim1=0, dim2=1).copy_(clean.T)
    return every


def rows(ids: Tensor, scales: Tensor) -> Tensor:
    return ids.expand(len(scales), -1)


def whole(model: Any, ids: Tensor) -> Tensor:
    """Logits of every position, from transformers alone."""
    logits: Tensor = model(ids, use_cache=False).logits
    return logits


def last(model: Any, ids: Tensor) -> Tensor:
    logits: Tensor = model(ids, use_cache=False, logits_to_keep=1).logits
    return logits[:, -1]


def host(*answer: Tensor) -> Answer:
    """An answer counts when it is on the host."""
    return tuple(tensor.cpu() for tensor in answer)
