"""Models to be judged: tiny ones of several families with weights of their own, and those of the showroom."""

from __future__ import annotations

from functools import cache
from typing import Any

from garage_nb.registry.lift import Lifted, lift
from tests.families import tiny


@cache
def showroom(name: str = "showroom-llama") -> Lifted:
    return lift(name)


def donors(family: str, count: int = 3) -> list[Lifted]:
    """Of one family and vocabulary, with other weights each and no tokenizer."""
    return [lift(tiny(family, seed=seed)) for seed in range(count)]


def named(*lifted: Lifted) -> dict[str, Lifted]:
    return {f"donor {place}": one for place, one in enumerate(lifted)}


def ids_of(lifted: Lifted, text: str, **options: Any) -> list[int]:
    return list(lifted.tokenizer(text, **options)["input_ids"])
