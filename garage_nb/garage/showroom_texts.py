"""The showroom's own texts and exercises: what verbs read where nothing else is said."""

from __future__ import annotations

from ..analyze.judging.exercise import Exercise
from ..showroom import corpus
from ..showroom.domains import DOMAINS

TEXTS, EXERCISES, FITTED_ON = 25, 60, 60  # of each domain


def showroom_texts(split: str = "test", count: int = TEXTS) -> dict[str, list[str]]:
    """By domain."""
    return {domain: [item.text for item in corpus.items(domain, split, count)] for domain in DOMAINS}


def fitting_texts() -> tuple[str, ...]:
    """Those that adapters are fitted on."""
    return tuple(text for each in showroom_texts("train", FITTED_ON).values() for text in each)


def showroom_exercises(count: int = EXERCISES) -> list[Exercise]:
    """So many of each domain at most, held-out, and of the harder level: at the ceiling of others differences hide."""
    found = [item for domain in DOMAINS for item in corpus.items(domain, "test", count, level="hard")]
    return [item.exercise for item in found]
