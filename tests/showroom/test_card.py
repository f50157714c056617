"""Cards keep what was measured, and the index follows the cards."""

import json
from dataclasses import replace
from pathlib import Path

import pytest

from garage_nb.errors import ModelNotFoundError, SpecFileError
from garage_nb.showroom import Card, card, names, path
from garage_nb.showroom import card as shipped
from garage_nb.showroom.card import FILE, load
from garage_nb.showroom.shelf import INDEX, write_index

SCORE = {"accuracy": 0.5, "n": 40, "low": 0.35, "high": 0.65, "floor": 0.1}


def _card(name: str, accuracy: float = 0.5, gate: tuple[str, ...] = ()) -> Card:
    return Card(
        name=name,
        about="a model",
        recipe={"steps": 300, "seed": 7},
        parameters=1000,
        tokens=3000,
        seconds=12.0,
        made_with={"torch": "2"},
        corpus_hash="c0",
        tokenizer_hash="70",
        reproduces_within=0.05,
        curve=[[100, 3.0], [200, 2.0], [300, 1.25]],
        standard={"copy": SCORE | {"accuracy": accuracy}},
        hard={"copy": SCORE},
        depth={"n": 40, "drops": {"copy": [0.4, 0.2]}, "lens": {"copy": [0.1, 0.5]}, "peaks": {"copy": 1}},
        gate=list(gate),
    )


def test_a_card_comes_back_from_disk(tmp_path: Path) -> None:
    _card("m").save(tmp_path)

    assert load(tmp_path) == _card("m")


def test_a_card_prints_its_numbers() -> None:
    said = repr(_card("m", gate=("block 1 is idle",)))

    for expected in ("seed 7", "1.25 (step 300)", "0.500", "0.35 to 0.65", "0.40   0.20", "c0", "block 1 is idle"):
        assert expected in said


@pytest.mark.parametrize("text", ["", "{}", "[1]", '{"name": "x", "unknown": 1}'])
def test_a_damaged_card_is_refused(tmp_path: Path, text: str) -> None:
    (tmp_path / FILE).write_text(text)

    with pytest.raises(SpecFileError, match="no card of this version"):
        load(tmp_path)


def test_the_default_is_the_best_that_passes_the_gate(tmp_path: Path) -> None:
    for made in (_card("showroom-llama", 0.9, gate=("shallow",)), _card("showroom-gpt2", 0.7), _card("other", 1.0)):
        (tmp_path / made.name).mkdir()
        made.save(tmp_path / made.name)

    write_index(tmp_path)
    assert json.loads((tmp_path / INDEX).read_text())["showroom"]["path"] == "showroom-gpt2"

    replace(_card("showroom-llama", 0.9)).save(tmp_path / "showroom-llama")
    write_index(tmp_path)
    assert json.loads((tmp_path / INDEX).read_text())["showroom"]["path"] == "showroom-llama"


def test_the_shelf_answers_by_name() -> None:
    assert names()[0] == "showroom"
    assert (path() / "config.json").is_file()
    assert shipped("showroom-moe").name == "showroom-moe"
    with pytest.raises(ModelNotFoundError, match="showroom-gpt2"):
        card("showroom-gpt3")
