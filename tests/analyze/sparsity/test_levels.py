"""Levels are entries that were there, found bit by bit: the same as if all had been sorted."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch

from garage_nb.analyze.sparsity.levels import Search, levels
from garage_nb.core.batch import prepare
from garage_nb.errors import NotFiniteError
from garage_nb.garage import Garage
from garage_nb.inject.edits import Scale
from garage_nb.inject.recipe import Recipe
from tests.analyze.naive import state
from tests.families import tiny

SHARES = (0.0, 0.01, 0.1, 0.25, 0.5, 0.75, 0.9, 0.99, 0.9999)
TEXTS = [[3, 1, 4, 1, 5], [9, 2, 6], [5, 3, 5, 8, 9, 7, 9, 3]]


def sought(pieces: list[torch.Tensor], shares: tuple[float, ...] = SHARES) -> tuple[Search, int]:
    search, rounds = Search(shares), 0
    while not search.done:
        for piece in pieces:
            search.add(piece)
        search.settle()
        rounds += 1
    return search, rounds


@pytest.mark.parametrize(
    ("dtype", "rounds"), [(torch.float16, 2), (torch.bfloat16, 2), (torch.float32, 3), (torch.float64, 6)]
)
@pytest.mark.parametrize("kind", ["normal", "far apart", "ties", "one", "zeros"])
def test_they_are_what_sorting_gives(dtype: torch.dtype, rounds: int, kind: str) -> None:
    drawn = torch.randn(4000, generator=torch.Generator().manual_seed(1), dtype=torch.float64)
    values = {
        "normal": drawn,
        "far apart": drawn * 10.0 ** (4 * drawn.clamp(-1, 1)),
        "ties": (drawn * 3).round() / 3,
        "one": drawn[:1],
        "zeros": drawn.clamp(min=0) * -1,
    }[kind].to(dtype)

    search, took = sought(list(values.reshape(-1, 1 if kind == "one" else 8).split(77)))

    ordered = np.sort(np.abs(values.double().numpy()))
    ranks = [round(share * len(ordered)) for share in SHARES]
    assert search.levels().tolist() == [ordered[rank - 1] if rank else 0.0 for rank in ranks]
    assert took == rounds


def test_they_are_numpys_quantiles() -> None:
    values = torch.randn(20, 50, generator=torch.Generator().manual_seed(2))

    search, _ = sought([values], (0.1, 0.25, 0.5, 0.9))

    expected = np.quantile(values.abs().numpy(), [0.1, 0.25, 0.5, 0.9], method="inverted_cdf")
    assert search.levels().tolist() == expected.tolist()
    assert [int((values.abs() <= level).sum()) for level in search.levels()] == [100, 250, 500, 900]


def test_what_is_kept_does_not_grow_with_the_texts() -> None:
    drawn = torch.randn(10, 64, generator=torch.Generator().manual_seed(3))
    kept = []
    for times in (1, 40):
        search = Search(SHARES)
        for _ in range(times):
            search.add(drawn)
        search.settle()
        search.add(drawn)
        kept.append(sum(value.numel() for value in vars(search).values() if isinstance(value, torch.Tensor)))

    assert kept[0] == kept[1]
    assert kept[0] < len(SHARES) * 2**11 + 100


@pytest.mark.parametrize("family", ["gpt2", "llama", "gemma2"])
def test_of_all_tokens_of_all_texts_in_a_model(family: str) -> None:
    model = tiny(family)
    lifted = Garage(model).lifted
    names = ["ffn_1.neurons", "attention_0"]

    found = levels(
        lifted, [prepare(text, model) for text in TEXTS], (), [lifted.spec.site(name) for name in names], SHARES
    )

    for name, mine in zip(names, found, strict=True):
        rows = np.abs(np.concatenate([state(model, text, name).numpy().ravel() for text in TEXTS]))
        ranks = [round(share * rows.size) for share in SHARES]
        assert mine.tolist() == [float(np.sort(rows)[rank - 1]) if rank else 0.0 for rank in ranks]


def test_edits_come_before(llama: Any) -> None:
    lifted = Garage(llama).lifted
    texts, site = [prepare(TEXTS[0], llama)], lifted.spec.site("ffn_1")
    scaled = Recipe((Scale("ffn_1", 4.0),)).taps(lifted.spec)

    plain, edited = (levels(lifted, texts, taps, [site], SHARES) for taps in ((), scaled))

    assert torch.equal(edited, 4 * plain)


def test_nan_is_refused(llama: Any) -> None:
    lifted = Garage(llama).lifted
    with torch.no_grad():
        llama.model.layers[1].mlp.down_proj.weight[3, 3] = torch.nan

    with pytest.raises(NotFiniteError, match="NaN or infinity passes"):
        levels(lifted, [prepare(TEXTS[0], llama)], (), [lifted.spec.site("ffn_1")], SHARES)
