"""What stands outside the blocks: `bottom` before them, `top` behind them."""

from __future__ import annotations

import pytest

from garage_nb.compose.graft import BOTTOM, TOP
from garage_nb.compose.layout.donors import opened
from garage_nb.compose.layout.ends import places_of
from garage_nb.compose.layout.layout import Layout
from tests.families import tiny

FAMILIES = ["gpt2", "llama", "mixtral", "gemma2", "bloom", "opt"]


@pytest.mark.parametrize("tied", [True, False])
@pytest.mark.parametrize("family", FAMILIES)
def test_bottom_blocks_and_top_hold_every_weight_once(family: str, tied: bool) -> None:
    layout = Layout.of(opened("a", tiny(family, 2, tie_word_embeddings=tied)))

    counted = [
        tensor
        for places in (places_of(layout, BOTTOM), layout.spec.select("all"), places_of(layout, TOP))
        for tensor in {id(found.first) for place in places for found in layout.at(place).values()}
    ]

    assert len(counted) == len(set(counted))
    assert set(counted) == {id(found.first) for found in layout.tensors.values()}


def test_a_tied_head_belongs_to_the_bottom() -> None:
    tied, apart = (Layout.of(opened("a", tiny("llama", 2, tie_word_embeddings=tie))) for tie in (True, False))

    assert places_of(tied, BOTTOM) == ["embedding", "output_head"]
    assert places_of(tied, TOP) == ["layer_norm_final"]
    assert places_of(apart, TOP) == ["layer_norm_final", "output_head"]


def test_any_other_word_is_a_selector() -> None:
    layout = Layout.of(opened("a", tiny("llama", 3)))

    assert places_of(layout, "1:") == ["layer_1", "layer_2"]
