"""Text: one of a corpus, as the model will read it; or why it was set aside."""

from __future__ import annotations

from dataclasses import dataclass

from ...plain import one_line

_BEGINNING = 60  # characters of a text that was set aside


@dataclass(frozen=True)
class Text:
    """`where` says which of the corpus it is, in words: `line 12`. `label` is what a probe is to tell, if any."""

    where: str
    ids: tuple[int, ...]
    label: str = ""


@dataclass(frozen=True)
class SetAside:
    """A text that was not counted, and why. `said` is how it begins, empty where it could not be read."""

    where: str
    why: str
    said: str = ""


@dataclass(frozen=True)
class Chunk:
    """Texts that go through the model side by side, in the order in which they are counted. Chunks of a corpus are
    numbered from 0.
    """

    number: int
    texts: tuple[Text, ...]


def beginning(text: str) -> str:
    """How a text begins, as text that shows as text."""
    return one_line(text[:_BEGINNING])
