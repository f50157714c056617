"""The verbs stitching and slim: what they take, and what they refuse."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from garage_nb.errors import InputError
from garage_nb.garage import Garage
from garage_nb.registry.lift import lift
from garage_nb.showroom import items
from tests.compose.bench import logits

TEXTS = [item.text for domain in ("sorting", "copy") for item in items(domain, n=30)]
FEW = TEXTS[:6]


def test_a_model_and_its_own_parts() -> None:
    garage = Garage("showroom-llama")

    found = garage.stitching(part="1,2", texts=FEW)

    assert found.guest_id == found.model_id == "showroom-llama"
    assert found.paper.asked == ()
    assert found.of("loss change", "layer_2", "layer_2").value == 0


def test_adapters_are_fitted_on_texts_of_the_showroom_that_are_not_scored() -> None:
    garage = Garage("showroom-gpt2")

    found = garage.stitching("showroom-llama", part="ffn_3", adapter="fit", texts=FEW)

    assert found.guest_id == "showroom-llama"
    assert found.adapter == "fit"
    assert not found.reasons


def test_one_model_gives_its_parts() -> None:
    with pytest.raises(InputError, match="2 models were named"):
        Garage("showroom-llama").stitching("showroom-llama,showroom-llama-seed1", texts=FEW)


def test_a_slim_model_is_saved_and_loaded(tmp_path: Path) -> None:
    garage = Garage("showroom-llama")

    found = garage.slim(loss=1.0, by="layers", texts=TEXTS, to=str(tmp_path / "slim"))

    again = Garage(str(tmp_path / "slim"))
    assert again.spec.num_layers == lift(found.model).spec.num_layers < garage.spec.num_layers
    assert torch.equal(logits(again.model), logits(found.model))
    assert "reloaded = in memory" in repr(found)


def test_edits_that_would_be_lost_are_refused() -> None:
    garage = Garage("showroom-llama")
    garage.scale("layer_1", 0.5)

    with pytest.raises(InputError, match="Edits are in force") as caught:
        garage.slim(texts=TEXTS)

    assert "reset" in caught.value.hint
    assert len(garage.edits) == 1
