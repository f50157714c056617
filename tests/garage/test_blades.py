"""The verbs of blades: fitted, measured, kept, put in force, and refused where they would mean nothing."""

from __future__ import annotations

from functools import cache
from pathlib import Path

import pytest
import torch

from garage_nb.analyze.judging.exercise import Exercise
from garage_nb.errors import BladeFileError, EditError, InputError
from garage_nb.garage import Garage
from garage_nb.inject.blades.files import save_blade
from garage_nb.inject.sae import Sae
from garage_nb.methods.blades.arms import BLADE, SELF
from garage_nb.methods.blades.blade_card import BladeCard
from garage_nb.methods.blades.making import HOW
from garage_nb.showroom.corpus import items
from garage_nb.showroom.domains import DOMAINS
from garage_nb.verbs import call
from garage_nb.words import words
from tests.restored import hooks_on

SORTING = "showroom-llama-sorting"
FRANCE = "The capital of France is"


@cache
def asked() -> list[Exercise]:
    """Few of two domains."""
    found = [one for domain in ("sorting", "facts") for one in items(domain, "train", 40, level="hard")]
    return list(dict.fromkeys(one.exercise for one in found))


@pytest.fixture(scope="module")
def showroom() -> Garage:
    return Garage("showroom-llama")


@pytest.fixture
def garage(showroom: Garage) -> Garage:
    showroom.reset()
    return showroom


@cache
def measured(folder: Path) -> BladeCard:
    garage = Garage("showroom-llama")
    fitted = garage.fit_blade("transplant", source=SORTING, items=asked(), domain="sorting", at="layer_2", name="sorts")
    return garage.measure_blade(fitted, to=str(folder))


@pytest.fixture(scope="module")
def kept(tmp_path_factory: pytest.TempPathFactory) -> BladeCard:
    return measured(tmp_path_factory.mktemp("kept"))


def test_from_a_fit_to_force_and_back(garage: Garage, kept: BladeCard) -> None:
    before = garage.generate(FRANCE, tokens=4)

    garage.blade(kept)
    tuned = garage.generate(FRANCE, tokens=4)
    garage.undo()

    assert set(tuned.written) == {"tuned", "untouched"}
    assert tuned.written["untouched"] == next(iter(before.written.values()))
    assert garage.verify()
    assert not hooks_on(garage.model)


def test_a_blade_helps_where_its_source_knows_more(kept: BladeCard) -> None:
    assert kept.blade.evidence is not None
    arms = {arm.name: arm for arm in kept.blade.evidence.arms}

    assert arms[BLADE].low > 0
    assert (arms[SELF].low, arms[SELF].high) == (0, 0)
    assert [arm.name for arm in kept.blade.evidence.retention] == ["facts"]


def test_a_saved_blade_acts_as_the_fitted_one(garage: Garage, kept: BladeCard) -> None:
    assert kept.saved is not None
    garage.blade(kept)
    fitted = repr(garage.generate(FRANCE, tokens=4))
    garage.reset()

    garage.blade(str(kept.saved.parent), source=SORTING)

    assert repr(garage.generate(FRANCE, tokens=4)) == fitted
    card = garage.blade_card(str(kept.saved.parent))
    assert card.blade == kept.blade
    assert "without source" in repr(card)


def test_several_stack_and_the_lines_that_are_copied_do_the_same(garage: Garage, kept: BladeCard) -> None:
    garage.blade(kept, alpha=0.5)
    garage.blade(kept, at="layer_3", tokens="-1")
    written, twin = garage.recipe(), Garage(garage.model, tokenizer=garage.tokenizer)

    for line in written.magic.splitlines():
        call(twin, words(line.removeprefix("%garage "), written.values))

    assert twin.edits == garage.edits
    assert [edit.at for edit in garage.edits] == ["layer_2", "layer_3"]
    assert "--at layer_2 --alpha 0.5 --source @value_" in written.magic


def test_other_weights_are_refused_unless_one_insists(kept: BladeCard) -> None:
    other = Garage("showroom-llama-seed1")

    with pytest.raises(EditError, match="was made for showroom-llama "):
        other.blade(kept)
    assert not len(other.edits)

    other.blade(kept, insist=True)
    assert len(other.edits) == 1


def test_a_saved_recipe_with_a_blade_asks_for_the_weights_and_the_source(
    garage: Garage, kept: BladeCard, tmp_path: Path
) -> None:
    garage.blade(kept)
    garage.recipe("save", str(tmp_path / "one.json"))
    other = Garage("showroom-llama-seed1")
    garage.reset()

    with pytest.raises(EditError, match="was made for showroom-llama "):
        other.recipe("apply", str(tmp_path / "one.json"))
    with pytest.raises(EditError, match=f"reads {SORTING}, which is not here"):
        garage.recipe("apply", str(tmp_path / "one.json"))

    assert not len(other.edits)
    assert not len(garage.edits)


def test_none_is_saved_before_it_was_measured(garage: Garage, tmp_path: Path) -> None:
    fitted = garage.fit_blade("low_rank", items=asked(), domain="sorting", at="layer_2", steps=1)

    with pytest.raises(BladeFileError, match="has not been measured") as caught:
        save_blade(fitted.blade, tmp_path)

    assert "measure_blade" in caught.value.hint
    assert "measure_blade" in repr(fitted)
    assert not [*tmp_path.iterdir()]


def test_the_model_itself_is_a_source_that_changes_nothing(garage: Garage) -> None:
    lifted = garage.lifted
    fitted = garage.fit_blade("transplant", source=lifted, items=asked(), domain="sorting", at="layer_2")

    garage.blade(fitted, alpha=0.7)

    assert fitted.source is not None
    assert fitted.source.model is not lifted.model
    said = garage.generate(FRANCE, tokens=4).written
    assert said["tuned"] == said["untouched"]


def test_a_sweep_chooses_the_place(garage: Garage) -> None:
    found = garage.fit_blade("direction", items=asked(), domain="sorting", at="sweep", seed=3)

    assert found.sweep is not None
    assert found.sweep.seed == 3
    assert found.blade is found.sweep.chosen
    assert "chosen" in repr(found)


def test_it_begins_at_the_fourth_layer_from_the_end(garage: Garage) -> None:
    place = garage.fit_blade("low_rank", items=asked(), domain="sorting", steps=1).blade.place

    assert place == garage.spec.name("layer_-4")


@pytest.mark.parametrize(
    ("line", "why"),
    [
        ("fit_blade gated --domain sorting", "reads a second model"),
        ("fit_blade low_rank", "none is named"),
        ("fit_blade low_rank --domain chess", "has no 'chess'"),
        ("fit_blade gated --domain sorting --source showroom-llama-sorting,showroom-llama-seed1", "not 2"),
        ("fit_blade sae_feature", "needs an autoencoder"),
        ("fit_blade sword", "sword"),
        ("fit_blade direction --domain sorting --rank 4", "direction takes no rank"),
        ("fit_blade transplant --domain sorting --steps 3", "transplant takes no steps"),
        ("fit_blade low_rank --domain sorting --gate input", "low_rank takes no gate"),
        ("fit_blade gated --domain sorting --features 1=0", "gated takes no features"),
        ("fit_blade sae_feature --domain sorting", "sae_feature takes no domain"),
        ("fit_blade projected --domain sorting --projection none", "projected needs a projection"),
        ("measure_blade 3.5", "cannot be read"),
        ("blade nowhere", "cannot be read"),
    ],
)
def test_what_is_missing_is_said(garage: Garage, line: str, why: str) -> None:
    with pytest.raises((InputError, EditError, BladeFileError), match=why) as caught:
        call(garage, line.split())

    assert caught.value.hint
    assert not len(garage.edits)


def test_what_its_kind_has_is_what_it_is_made_by(garage: Garage) -> None:
    blade = garage.fit_blade("low_rank", items=asked(), domain="sorting", at="layer_2", rank=2, steps=1, seed=3).blade

    assert (blade.settings["rank"], blade.fit.steps, blade.fit.seed) == (2, 1, 3)
    assert (blade.fit.rate, blade.fit.batch) == (HOW.rate, HOW.batch)


@pytest.mark.parametrize("line", ["fit_blade low_rank --domain sorting", "specialise sorting", "measure_blade @kept"])
def test_edits_in_force_are_not_left_out_without_a_word(garage: Garage, kept: BladeCard, line: str) -> None:
    garage.scale("layer_1", 0.5)

    with pytest.raises(InputError, match=r"Edits are in force, .*scale layer_1.*\nTake them back: reset"):
        call(garage, words(line, {"kept": kept}))

    assert [edit.at for edit in garage.edits] == ["layer_1"]


def test_an_autoencoder_that_is_given_keeps_its_features(garage: Garage) -> None:
    """What is asked of it besides would be left out without a word."""
    width = garage.spec.hidden_dim
    tall = torch.linspace(-1, 1, width * 4).reshape(width, 4)
    sae = Sae("layer_2", tall, torch.zeros(4), tall.T.clone(), torch.zeros(width), features="2=3")

    assert garage.fit_blade("sae_feature", source=sae).blade.settings["features"] == "2=3"
    for more in ({"features": "1=0"}, {"at": "layer_1"}):
        with pytest.raises(InputError, match="has its place and its features"):
            garage.fit_blade("sae_feature", source=sae, **more)


def test_a_blade_whose_source_is_not_here_says_which(garage: Garage, kept: BladeCard) -> None:
    with pytest.raises(EditError, match=f"reads {SORTING}, which is not here"):
        garage.blade(kept.blade)
    with pytest.raises(EditError, match="was made from"):
        garage.blade(kept.blade, source="showroom-llama-seed1")
    with pytest.raises(EditError, match="A int is no blade"):
        garage.blade(3)


def test_the_showrooms_pools_share_no_item() -> None:
    from garage_nb.garage.showroom_pools import showroom_pools

    fit, choose, test = showroom_pools("sorting")

    assert set(fit) == set(choose) == set(test) == set(DOMAINS)
    texts = [{one.text for several in pool.values() for one in several} for pool in (fit, choose, test)]
    assert not (texts[0] & texts[1]) | (texts[0] & texts[2]) | (texts[1] & texts[2])
