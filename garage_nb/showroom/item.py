"""One exercise of the showroom language: a text in which some pieces are determined by what stands before them."""

from __future__ import annotations

from dataclasses import dataclass
from hashlib import blake2b

from ..analyze.judging.exercise import Exercise

HELD_OUT_PERCENT = 15


@dataclass(frozen=True, kw_only=True)
class Item:
    """`parts` alternate between given text (even places) and answers (odd places, each with its leading space).

    `identity` names what is asked, whatever the wording: the split is a hash of it. An item that is
    `always_trained` belongs to the training split whatever its hash: the statements that questions build on.
    """

    domain: str
    identity: str
    parts: tuple[str, ...]
    hard: bool = False
    always_trained: bool = False

    @property
    def text(self) -> str:
        return "".join(self.parts)

    @property
    def prompt(self) -> str:
        """What to type to be given the first answer."""
        return self.parts[0]

    @property
    def answer(self) -> str:
        """The first answer, with its leading space."""
        return self.parts[1]

    @property
    def answers(self) -> tuple[str, ...]:
        return self.parts[1::2]

    @property
    def spans(self) -> tuple[tuple[int, int], ...]:
        """(start, end) of each answer in `text`, in characters."""
        ends = [len("".join(self.parts[: place + 1])) for place in range(len(self.parts))]
        return tuple((end - len(part), end) for end, part in zip(ends, self.parts, strict=True))[1::2]

    @property
    def exercise(self) -> Exercise:
        """To be scored: every answer counts."""
        return Exercise(ways=(self.parts,), domain=self.domain)

    @property
    def split(self) -> str:
        """One of "train" and "test": about 15 in 100 identities are held out."""
        digest = blake2b(f"{self.domain}|{self.identity}".encode(), digest_size=4).digest()
        held_out = int.from_bytes(digest, "big") % 100 < HELD_OUT_PERCENT
        return "test" if held_out and not self.always_trained else "train"
