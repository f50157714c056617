"""What holds in every test of the bench."""

from __future__ import annotations

from functools import lru_cache

import pytest

from garage_nb.analyze import ranks
from garage_nb.analyze.bootstrap import drawn_counts
from garage_nb.methods.statistics import paired

remembered = lru_cache(8)(drawn_counts)


@pytest.fixture(autouse=True)
def drawn_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """Equal worlds have equal draws; making them anew 200 times proves nothing more."""
    monkeypatch.setattr(paired, "drawn_counts", remembered)
    monkeypatch.setattr(ranks, "drawn_counts", remembered)
