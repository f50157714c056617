"""Streams of one seed: no two of them meet."""

from __future__ import annotations

import pytest
import torch

from garage_nb.core.seed import spawned
from garage_nb.errors import InputError


def drawn(seed: int, *names: str | int) -> tuple[int, ...]:
    return tuple(torch.randint(1 << 40, (4,), generator=spawned(seed, *names)).tolist())


def test_no_two_of_them_draw_the_same() -> None:
    """`ad` and `cc` have one sum of code times place; 0 and 1 have one sum with 1 and 0."""
    told = [("ad",), ("cc",), (1, 0), (0, 1), ("1", 0), ("10",), *((place,) for place in range(20))]

    found = {(seed, *names): drawn(seed, *names) for seed in range(-5, 20) for names in told}

    assert len({*found.values()}) == len(found)
    assert found == {names: drawn(*names) for names in found}


def test_what_is_no_seed_is_refused() -> None:
    with pytest.raises(InputError, match="is no seed"):
        spawned(1 << 64, "name")
