"""What a worker is sent: a chunk of texts and what is asked of it, with the model named and not brought."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property

from ..core.sealed import canonical, digest
from .corpus.text import Chunk
from .driving.task import Task, versions
from .readings.plan import Plan
from .readings.record import to_bytes
from .reference import Reference, opened


@dataclass(frozen=True)
class ChunkTask:
    """Its pieces are single texts."""

    reference: Reference
    plan: Plan
    chunk: Chunk

    @cached_property
    def key(self) -> str:
        """Of the model, the plan, the texts' ids and labels and the versions; where texts come from does not count."""
        texts = [[text.ids, text.label] for text in self.chunk.texts]
        return digest(canonical([self.reference.to_json(), self.plan.to_json(), texts, versions()]))

    @property
    def where(self) -> str:
        texts = self.chunk.texts
        return texts[0].where if len(texts) == 1 else f"{len(texts)} texts, {texts[0].where} to {texts[-1].where}"

    def run(self) -> bytes:
        return to_bytes(self.plan.read(opened(self.reference), self.chunk.texts))

    def pieces(self) -> Sequence[ChunkTask]:
        if len(self.chunk.texts) == 1:
            return [self]
        return [replace(self, chunk=replace(self.chunk, texts=(text,))) for text in self.chunk.texts]

    def without(self, pieces: Sequence[Task]) -> ChunkTask | None:
        """The others, in their order."""
        out = {text for piece in pieces if isinstance(piece, ChunkTask) for text in piece.chunk.texts}
        left = tuple(text for text in self.chunk.texts if text not in out)
        return replace(self, chunk=replace(self.chunk, texts=left)) if left else None
