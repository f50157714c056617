"""Reading: a question to every text of a corpus whose answers add up, and Passage, the texts it is asked of at a time.

To add one: a frozen dataclass of plain values that derives from Reading. What it wants to see of the one pass that all
readings share it says in `begin`, and what came of it in the function that this returns.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable
from dataclasses import asdict, dataclass, field
from functools import cached_property
from typing import Any

from jaxtyping import Float
from torch import Tensor

from ...core.batch import Batch
from ...core.sites import Read
from ...core.stats import real_tokens
from ...core.tokenwise import token_rows_of
from ...inject.recipe import Recipe
from ...registry.lift import Lifted
from ..corpus.text import Text
from .record import Record

Finish = Callable[[], Record]


@dataclass(frozen=True, eq=False)
class Passage:
    """`batch` holds the texts' ids, padded on the right or on the left; `edits` are in force. `reads` are collected
    before the pass.
    """

    lifted: Lifted
    batch: Batch
    texts: tuple[Text, ...]
    edits: Recipe
    reads: list[Read] = field(default_factory=list)

    def each_token(self, place: str, fn: Callable[[Float[Tensor, "tokens dim"]], None]) -> None:
        """Have `fn` called with all that a place holds of each token, text after text, padding left out."""
        site = self.lifted.spec.site(place)
        self.reads.append(Read(site, lambda hidden: fn(token_rows_of(site, hidden, self.batch, self.real))))

    @cached_property
    def real(self) -> Tensor | None:
        """Where tokens stand among (batch · seq); None where none is padding."""
        return None if self.batch.padding is None else real_tokens(self.batch.padding)

    @cached_property
    def lengths(self) -> list[int]:
        """Tokens of each text."""
        return [len(text.ids) for text in self.texts]


@dataclass(frozen=True)
class Reading(ABC):
    """Equal ones leave the same bytes of the same texts."""

    @abstractmethod
    def begin(self, passage: Passage) -> Finish:
        """Ask for reads of the pass that is to come; the function returned is called when it is over."""

    def to_json(self) -> dict[str, Any]:
        """All that its answer depends on."""
        return {"reading": type(self).__name__, **asdict(self)}
