"""Contrasts against NumPy's own sums and least squares."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from garage_nb.errors import InputError
from garage_nb.methods.contrast import Contrast, difference, interaction, slope


def of(contrast: Contrast, means: dict[str, float]) -> float:
    return sum(weight * means[arm] for arm, weight in contrast.weights)


def test_a_slope_is_that_of_least_squares() -> None:
    doses = {"a": 0.5, "b": 1.0, "c": 4.0, "d": -2.0}
    means = dict(zip(doses, torch.randn(4, generator=torch.Generator().manual_seed(0)).tolist(), strict=True))

    assert of(slope(doses), means) == pytest.approx(np.polyfit([*doses.values()], [*means.values()], 1)[0])
    with pytest.raises(InputError, match="1 arms have the same dose"):
        slope({"a": 1.0})


def test_an_interaction_is_what_both_do_beyond_each() -> None:
    means = {"none": 1.0, "a": 3.0, "b": 4.0, "both": 9.0, "aa": 6.0}

    assert of(interaction("none", "a", "b", "both"), means) == (9 - 1) - (3 - 1) - (4 - 1)
    assert of(interaction("none", "a", "a", "aa"), means) == (6 - 1) - 2 * (3 - 1)
    assert interaction("none", "a", "a", "aa").said == "aa − 2 · a + none"


def test_what_two_contrasts_share_falls_out() -> None:
    found = interaction("none", "a", "b", "both") - interaction("none", "a", "a", "aa")

    assert dict(found.weights) == {"both": 1, "a": 1, "b": -1, "aa": -1}
    assert dict((-found).weights) == {"both": -1, "a": -1, "b": 1, "aa": 1}
    assert found.bound == 2
    assert difference("a", "b").bound == 1
