"""The tuning bench without a page: what it takes, what it refuses, and that its numbers are the engine's."""

from __future__ import annotations

import gc
import weakref
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import ipywidgets
import pytest
import torch
import traitlets

from garage_nb import Garage
from garage_nb.errors import EditError, InputError, UnknownPartError
from garage_nb.inject.recipe import Recipe
from garage_nb.widgets import LayerPicker, TuningBench
from garage_nb.widgets.admission import LARGEST_MESSAGE

from ..families import tiny
from ..restored import hooks_on

PROMPT = "The capital of France is"


@pytest.fixture
def garage() -> Garage:
    return Garage("showroom")


@pytest.fixture
def bench(garage: Garage) -> Iterator[TuningBench]:
    bench = TuningBench(garage, PROMPT, "layer_2,attention_3.head_1", tokens=4)
    assert bench.wait(30)
    yield bench
    bench.close()


def from_page(bench: TuningBench, **state: Any) -> None:
    """What arrives when a page changes traits, through the same door as a real comm message."""
    bench._handle_msg({"content": {"data": {"method": "update", "state": state}}, "buffers": []})


def asked(bench: TuningBench, **content: Any) -> None:
    bench._handle_msg({"content": {"data": {"method": "custom", "content": content}}, "buffers": []})


def untouched(garage: Garage) -> torch.Tensor:
    with torch.no_grad():
        return garage.model(**garage.tokenizer(PROMPT, return_tensors="pt")).logits


def test_it_shows_what_compare_and_generate_say(bench: TuningBench, garage: Garage) -> None:
    bench.factors = {"layer_2": 0.4}
    assert bench.wait(30)
    garage.apply(bench.recipe)

    compared, said = garage.compare(prompt=PROMPT), garage.generate(PROMPT, tokens=4)

    assert bench.comparison == compared
    assert bench.generation == said
    assert bench._next["tuned"] == list(compared.b)
    assert [line["name"] for line in bench._texts] == ["untouched", "tuned"]
    assert "".join(bench._texts[1]["tokens"]) == "".join(said.written["tuned"].tokens)


def test_a_fader_of_a_head_is_an_edit_of_that_head(bench: TuningBench) -> None:
    from_page(bench, _move=[7, {"attention_3.head_1": 0.0}])

    assert str(bench.recipe) == "scale attention_3.head_1 0"
    assert bench.factors == {"layer_2": 1.0, "attention_3.head_1": 0.0}
    assert bench.written.python == 'garage.scale("attention_3.head_1", 0.0)'
    assert bench.written.magic == "%garage scale attention_3.head_1 0.0"


def test_moves_of_one_gesture_are_one_step_and_undo_and_redo_move_the_fader(bench: TuningBench) -> None:
    for factor in (0.9, 0.6, 0.3):
        from_page(bench, _move=[1, {"layer_2": factor}])
    from_page(bench, _move=[2, {"layer_2": 0.1}])

    seen = []
    for kind in ("undo", "undo", "redo", "redo"):
        asked(bench, kind=kind)
        seen.append(bench.factors["layer_2"])

    assert seen == [0.3, 1.0, 0.3, 0.1]
    asked(bench, kind="redo")
    assert bench._error.startswith("There is nothing to redo.")


def test_bypass_and_solo_change_what_is_heard_and_not_the_draft(bench: TuningBench) -> None:
    bench.factors = {"layer_2": 0.5, "attention_3.head_1": 0.0}

    from_page(bench, bypassed=["layer_2"])
    assert str(bench.recipe) == "scale attention_3.head_1 0"
    from_page(bench, bypassed=[], soloed=["layer_2"])
    assert str(bench.recipe) == "scale layer_2 0.5"

    assert [edit["heard"] for edit in bench._edits["edits"]] == [True, False]
    assert bench.factors == {"layer_2": 0.5, "attention_3.head_1": 0.0}


def test_chips_are_dropped_by_number(bench: TuningBench) -> None:
    bench.factors = {"layer_2": 0.5, "attention_3.head_1": 0.0}

    asked(bench, kind="drop", edit=0)

    assert str(bench.recipe) == "scale attention_3.head_1 0"
    asked(bench, kind="reset")
    assert bench.recipe == Recipe()
    asked(bench, kind="undo")
    assert str(bench.recipe) == "scale attention_3.head_1 0"


def test_nothing_is_in_force_until_it_is_put_there(bench: TuningBench, garage: Garage) -> None:
    bare = untouched(garage)
    bench.factors = {"layer_2": 0.5}
    assert bench.wait(30)
    assert len(garage.edits) == 0

    asked(bench, kind="apply")

    assert str(garage.edits) == "scale layer_2 0.5"
    assert bench._edits["applied"]
    assert torch.equal(untouched(garage), bare)  # a model of the user's own call is as it was
    assert hooks_on(garage.model) == {}
    garage.undo()
    assert len(garage.edits) == 0


def test_it_follows_the_garage_as_long_as_the_two_are_the_same(bench: TuningBench, garage: Garage) -> None:
    garage.scale("layer_2", 0.5)
    assert bench.factors["layer_2"] == 0.5

    bench.factors = {"layer_2": 0.7}
    garage.scale("layer_0", 0.1)

    assert str(bench.recipe) == "scale layer_2 0.7"
    assert not bench._edits["applied"]


def test_it_opens_with_the_recipe_in_force(garage: Garage) -> None:
    garage.scale("layer_2", 0.5)
    garage.add("layer_3", 0.1)

    bench = TuningBench(garage)

    assert bench.parts == ("layer_2", "layer_3")
    assert bench.factors == {"layer_2": 0.5, "layer_3": 1.0}
    assert [edit["said"] for edit in bench._edits["edits"]] == ["scale layer_2 0.5", "add layer_3 0.1"]
    bench.close()


def test_a_recipe_is_saved_under_a_plain_name_and_nowhere_else(
    bench: TuningBench, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    bench.factors = {"layer_2": 0.5}

    asked(bench, kind="keep", file="tuned.json")

    assert Recipe.load("tuned.json") == bench.recipe
    assert bench._progress == "Saved to tuned.json."
    for name in ("../tuned.json", "/etc/tuned.json", ".tuned.json", "tuned.py", "", "a/b.json", 3, None, ["x.json"]):
        asked(bench, kind="keep", file=name)
        assert "is no plain file name" in bench._error
    assert sorted(path.name for path in tmp_path.iterdir()) == ["tuned.json"]


@pytest.mark.parametrize(
    "factors",
    [{"layer_2": float("nan")}, {"layer_2": 1e308}, {"layer_2": float("inf")}, {"layer_2": -1e9}, {"layer_2": "0.5"},
     {"layer_2": True}, {"layer_2": None}, {"layer_2": [0.5]}, {"layer_99": 0.5}, {"ffn_0": 0.5}, {"": 0}, [], 0.5, "x",
     {"layer_2": "0" * LARGEST_MESSAGE}],
)  # fmt: skip
def test_what_is_no_factor_is_refused_and_shown(bench: TuningBench, factors: Any) -> None:
    from_page(bench, factors=factors)
    first = bench._error
    from_page(bench, _move=[1, factors])

    assert first
    assert bench._error
    assert len(bench._error) < 500
    assert bench.factors == {"layer_2": 1.0, "attention_3.head_1": 1.0}
    assert bench.recipe == Recipe()


@pytest.mark.parametrize("move", [None, [], [1], [1, {}, 2], ["1", {}], [True, {}], {"a": 1}, 1])
def test_a_move_without_its_number_is_refused(bench: TuningBench, move: Any) -> None:
    from_page(bench, _move=move)

    assert bench._error
    assert bench.recipe == Recipe()


@pytest.mark.parametrize("tokens", [-1, 501, 1.5, True, "20", None, 1e308])
def test_what_is_no_number_of_tokens_is_refused(bench: TuningBench, tokens: Any) -> None:
    from_page(bench, tokens=tokens)

    assert "cannot be taken for tokens" in bench._error
    assert bench.tokens == 4


def test_too_many_faders_are_refused_and_the_old_ones_stay(bench: TuningBench) -> None:
    asked(bench, kind="add", selector="all,attention_*,ffn_*,layer_norm_*")

    assert "the bench has 24 faders" in bench._error
    assert bench.parts == ("layer_2", "attention_3.head_1")


def test_an_error_of_a_run_is_shown_and_the_next_answer_comes(bench: TuningBench) -> None:
    from_page(bench, prompt="word " * 400)
    assert bench.wait(30)
    assert bench._error.startswith("The prompt has ")
    assert not bench._running

    from_page(bench, prompt="The capital of Spain is")
    assert bench.wait(30)

    assert bench._error == ""
    assert bench.comparison.prompt == "The capital of Spain is"


def test_a_bench_without_a_prompt_says_what_to_do(garage: Garage) -> None:
    bench = TuningBench(garage, parts="layer_1")

    assert bench.comparison is None
    assert "Type a prompt and press Enter" in bench._repr_mimebundle_()[0]["text/html"]
    bench.close()


def test_the_bundle_and_the_page_tell_the_numbers(bench: TuningBench, tmp_path: Path) -> None:
    bench.factors = {"layer_2": 0.4}
    assert bench.wait(30)

    data, _ = bench._repr_mimebundle_()
    page = bench.to_html(tmp_path / "bench.html").read_text()

    assert data["text/plain"] == "TuningBench(showroom, scale layer_2 0.4)"
    for html in (data["text/html"], page):
        assert f"KL(untouched ‖ tuned) = {bench.comparison.divergence:.3g} nats" in html
        assert "%garage scale layer_2 0.4" in html
        assert "<script" not in html
    assert page.startswith("<!doctype html>")


def test_a_page_that_cannot_be_written_is_an_error(bench: TuningBench, tmp_path: Path) -> None:
    with pytest.raises(InputError, match="cannot be written"):
        bench.to_html(tmp_path / "nowhere" / "bench.html")
    assert list(tmp_path.iterdir()) == []


def test_it_composes_with_other_widgets(garage: Garage, bench: TuningBench) -> None:
    picker, slider = LayerPicker(garage), ipywidgets.FloatSlider(value=1.0, max=2.0)
    traitlets.link((picker, "value"), (bench, "parts"))
    picker.value = "layer_1,layer_4"
    traitlets.dlink((slider, "value"), (bench, "factors"), lambda factor: {"layer_1": factor})
    slider.value = 0.5

    assert bench.parts == ("layer_1", "layer_4")
    assert str(bench.recipe) == "scale layer_1 0.5"
    assert ipywidgets.HBox([picker, bench]).children == (picker, bench)
    picker.close()


def test_it_keeps_no_model_in_memory() -> None:
    garage = Garage("showroom")
    gone = weakref.ref(garage.model)
    bench = TuningBench(garage, PROMPT, "layer_1", tokens=2)
    assert bench.wait(30)
    from_page(bench, prompt="word " * 400)  # an error, whose traceback would hold it
    assert bench.wait(30)

    del garage
    gc.collect()

    assert gone() is None
    from_page(bench, prompt="again")
    assert bench.wait(30)
    assert bench._error.startswith("The garage of this panel is gone.")
    bench.close()


def test_another_model_on_the_lift_is_not_run_by_mistake(bench: TuningBench, garage: Garage) -> None:
    garage.load(tiny("gpt2"), tokenizer=garage.tokenizer)

    from_page(bench, prompt="again")
    assert bench.wait(30)

    assert bench._error.startswith("There is another model on the lift now.")


def test_anything_but_a_garage_is_refused() -> None:
    with pytest.raises(InputError, match="A str is no Garage"):
        TuningBench("showroom")


def test_parts_that_are_not_there_are_refused_before_anything_is_shown(garage: Garage) -> None:
    with pytest.raises(UnknownPartError):
        TuningBench(garage, PROMPT, "layer_99")


def test_a_place_that_cannot_be_scaled_has_no_fader(garage: Garage) -> None:
    with pytest.raises(EditError):
        TuningBench(garage, PROMPT, "attention_1.pattern")
