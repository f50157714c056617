"""Text: one of a corpus, as the model will read it; or why it was set aside."""

from __future__ import annotations

from dataclasses import dataclass


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
