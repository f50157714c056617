"""The showroom language: seeded streams of items, their split, and what guessing would score.

Pure Python and no model: the same seed gives the same items on every machine.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from functools import cache
from hashlib import blake2b
from itertools import islice
from random import Random

from ..errors import InputError
from .domains import DOMAINS
from .item import Item

LEVELS = ("standard", "hard")


def stream(domain: str, *, split: str, level: str = "standard", seed: int | str = 0) -> Iterator[Item]:
    """Endless items of one split. Training draws take all that a domain's `draw` gives, its few hard items too."""
    _check(domain, split, level)
    draw = DOMAINS[domain].draw_hard if level == "hard" else DOMAINS[domain].draw
    rng = Random(f"{domain}/{split}/{level}/{seed}")  # a str seeds by its bytes, alike on every machine
    while True:
        item = draw(rng)
        if item.split == split and (split == "train" or item.hard == (level == "hard")):
            yield item


def items(
    domain: str, split: str = "test", n: int = 100, *, level: str = "standard", seed: int | str = 0
) -> list[Item]:
    """`n` items, drawn with replacement from the split."""
    return list(islice(stream(domain, split=split, level=level, seed=seed), n))


@cache
def floor(domain: str, level: str = "standard") -> float:
    """Accuracy without understanding, 0 to 1: the better of guessing within the format (the domain's `chance`)
    and of always giving the most common answer, over 2,000 held-out items."""
    asked = items(domain, n=2000, level=level, seed="floor")
    commonest = Counter(item.answers for item in asked).most_common(1)[0][1]
    guessed: float = sum(map(DOMAINS[domain].chance, asked))
    return max(commonest, guessed) / len(asked)


@cache
def corpus_hash() -> str:
    """Names the language: changes when any domain's items change."""
    digest = blake2b(digest_size=8)
    for domain in DOMAINS:
        for split in ("train", "test"):
            for item in items(domain, split, 300, seed="hash"):
                digest.update(repr((item.identity, item.parts)).encode())
    return digest.hexdigest()


def _check(domain: str, split: str, level: str) -> None:
    for asked, known in ((domain, tuple(DOMAINS)), (split, ("train", "test")), (level, LEVELS)):
        if asked not in known:
            raise InputError(f"The showroom has no {asked!r}.", f"Choose one of: {', '.join(known)}.")
