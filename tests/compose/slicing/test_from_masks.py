"""From masks: the neurons that edits leave."""

from __future__ import annotations

import pytest
import torch

from garage_nb.compose.slicing.from_masks import kept_by
from garage_nb.core.tokens import Tokens
from garage_nb.errors import EditError
from garage_nb.inject.edit import Edit
from garage_nb.inject.edits import Scale
from garage_nb.inject.mask import Mask
from garage_nb.registry.lift import lift
from tests.families import tiny


def test_kept_dropped_and_filled() -> None:
    fill = torch.arange(64.0)

    kept, means = kept_by(
        [Mask("ffn_0", keep="0:3,-1", fill=fill), Mask("ffn_1", drop="1:64")], lift(tiny("llama", layers=2)).spec
    )

    assert kept == {"ffn_0": (0, 1, 2, 63), "ffn_1": (0,)}
    assert list(means) == ["ffn_0"]
    assert torch.equal(means["ffn_0"], fill)


def test_a_neuron_that_is_named_twice_is_kept_once() -> None:
    kept, _ = kept_by([Mask("ffn_0", keep=(3, 0, -64))], lift(tiny("llama", layers=2)).spec)

    assert kept == {"ffn_0": (0, 3)}


REFUSED: dict[str, tuple[list[Edit], str]] = {
    "nothing": ([], "No neuron is masked"),
    "another edit": ([Scale("ffn_0", 0.5)], "'scale ffn_0 0.5' takes no neurons away"),
    "heads": ([Mask("attention_0", drop=0)], "takes no neurons away"),
    "some tokens": ([Mask("ffn_0", drop=0, tokens=Tokens("prompt"))], "takes no neurons away"),
    "twice": ([Mask("ffn_0", drop=0), Mask("ffn_0", drop=1)], "ffn_0 is masked twice"),
}


@pytest.mark.parametrize("case", REFUSED)
def test_refusals(case: str) -> None:
    edits, said = REFUSED[case]

    with pytest.raises(EditError, match=said):
        kept_by(edits, lift(tiny("llama", layers=2)).spec)
