"""The composer without a page: what it takes, what it refuses, and that its answers are the engine's."""

from __future__ import annotations

import gc
import json
import weakref
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import torch
from transformers import AutoModelForCausalLM

from garage_nb import Garage
from garage_nb.analyze.judging.judge import judge
from garage_nb.compose.assembly.build import build
from garage_nb.compose.layout.check import check
from garage_nb.compose.sheet import BuildSheet
from garage_nb.compose.written import sheet_from_json
from garage_nb.core.fingerprint import Fingerprint
from garage_nb.errors import BuildError, InputError, ModelNotFoundError
from garage_nb.inject.recipe import Recipe
from garage_nb.registry.lift import lift
from garage_nb.widgets import Composer

from ..families import saved, tiny
from .messages import Messages, asked, from_page

BASE, OTHER, UNLIKE = "showroom-llama", "showroom-llama-seed1", "showroom-gpt2"
SWAP = "swap attention_1 b[attention_2]"
ENOUGH = 60  # seconds


@pytest.fixture(scope="module")
def garage() -> Garage:
    return Garage(BASE)


@pytest.fixture(scope="module")
def others() -> dict[str, Any]:
    return {"b": lift(OTHER), "g": lift(UNLIKE)}


@pytest.fixture
def composer(garage: Garage, others: dict[str, Any]) -> Iterator[Composer]:
    composer = Composer(garage, others)
    assert composer.wait(ENOUGH)
    yield composer
    composer.close()


def send(composer: Composer, kind: str, **content: Any) -> Composer:
    """As the page does, and once all is answered."""
    asked(composer, {"kind": kind, **content})
    assert composer.wait(ENOUGH)
    return composer


def grafted(composer: Composer) -> Composer:
    return send(composer, "place", donor="b", part="attention_2", at="attention_1")


def said(composer: Composer) -> list[str]:
    return [str(graft) for graft in composer.worktop.grafts]


def logits(model: Any) -> torch.Tensor:
    with torch.no_grad():
        found: torch.Tensor = model(torch.arange(9)[None]).logits
    return found


def test_it_stands_the_models_side_by_side(composer: Composer, garage: Garage) -> None:
    columns = [composer._result, *composer._beside]

    assert [column["name"] for column in columns] == ["", "b", "g"]
    assert [column["title"] for column in columns[1:]] == [OTHER, UNLIKE]
    assert dict(composer.donors) == {"b": OTHER, "g": UNLIKE}
    drawn = [cell["name"] for row in composer._result["rows"] for cell in row["cells"]]
    assert drawn[0] == "embedding"
    assert drawn[-1] == "output_head"
    assert {f"layer_{i}" for i in range(5)} | {"attention_0", "ffn_4"} <= set(drawn) <= set(garage.spec.parts)


def test_it_says_of_every_place_at_once_how_a_part_fits(composer: Composer) -> None:
    send(composer, "hold", donor="b", part="ffn_1")
    assert composer._offers["places"] == {f"ffn_{i}": ["fits", "fits"] for i in range(5)}

    send(composer, "hold", donor="g", part="attention_2")
    verdict, words = composer._offers["places"]["attention_1"]
    assert verdict == "refused"
    assert "attention_2 of g does not fit in the place of attention_1 of showroom-llama" in words


def test_a_drop_is_a_graft_and_the_sheet_is_checked(composer: Composer, others: dict[str, Any]) -> None:
    grafted(composer)

    assert said(composer) == [SWAP]
    assert composer._sheet["grafts"] == [[SWAP, "fits", ""]]
    grafts = composer.worktop.grafts
    expected = check(BuildSheet(BASE, {BASE: composer.garage.lifted, **others}, grafts))
    assert dict(composer._sheet["facts"]) == dict(expected.facts)
    changed = [cell for row in composer._result["rows"] for cell in row["cells"] if cell["changed"]]
    assert [(cell["name"], cell["from"]) for cell in changed] == [("attention_1", "attention_2 of b")]
    assert json.loads(json.dumps(composer.sheet)) == composer.sheet
    assert sheet_from_json(composer.sheet).grafts == grafts


def test_a_refused_drop_leaves_the_sheet_as_it_was(composer: Composer) -> None:
    grafted(composer)
    before = composer.sheet

    send(composer, "place", donor="g", part="attention_2", at="attention_3")

    assert "attention_2 of g does not fit in the place of attention_3 of showroom-llama" in composer._error
    assert composer.sheet == before
    assert said(composer) == [SWAP]


def test_what_it_builds_is_what_the_sheet_says(composer: Composer, garage: Garage, others: dict[str, Any]) -> None:
    prints = [Fingerprint.of(one.model) for one in (garage.lifted, *others.values())]
    send(send(grafted(composer), "place", donor="b", part="layer_3", at="gap_2"), "make")

    expected = build(BuildSheet(BASE, {BASE: garage.lifted, **others}, composer.worktop.grafts))
    assert torch.equal(logits(composer.value.model), logits(expected.model))
    assert [mark for mark, _, _ in composer._proofs] == ["✓"] * len(expected.proofs.rows)
    assert [claim for _, claim, _ in composer._proofs] == [row.claim for row in expected.proofs.rows]
    for one, before in zip((garage.lifted, *others.values()), prints, strict=True):
        assert before.differences(Fingerprint.of(one.model)) == {}


def test_a_sheet_that_changes_has_not_been_built(composer: Composer) -> None:
    send(grafted(composer), "make")
    assert composer.value is not None

    send(composer, "take_out", graft=0)

    assert (composer.value, composer._proofs, composer._judged, said(composer)) == (None, [], {}, [])
    assert "Build the sheet first." in send(composer, "keep", folder="x")._error
    assert "Build the sheet first." in send(composer, "judge")._error
    assert "The sheet is empty." in send(composer, "make")._error


def test_steps_are_taken_back_and_brought_back(composer: Composer) -> None:
    grafted(composer)
    send(composer, "remove", layer=0)
    assert said(composer) == ["stack 1:5", "swap attention_0 b[attention_2]"]
    assert len([row for row in composer._result["rows"] if row["layer"] is not None]) == 4

    send(composer, "undo")
    assert said(composer) == [SWAP]
    send(composer, "redo")
    assert said(composer) == ["stack 1:5", "swap attention_0 b[attention_2]"]
    assert send(composer, "redo")._error.startswith("There is nothing to redo.")


def test_it_saves_beside_the_notebook_and_nowhere_else(
    composer: Composer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    send(grafted(composer), "make")

    send(composer, "keep", folder="mine")

    assert composer._told.startswith("Saved to mine")
    again = AutoModelForCausalLM.from_pretrained(tmp_path / "mine")
    assert torch.equal(logits(again), logits(composer.value.model))
    for name in ("../mine", "/tmp/mine", "", ".mine", "a/b", None, 3, "x" * 200):
        assert "is no plain folder name" in send(composer, "keep", folder=name)._error
    (tmp_path / "taken").mkdir()
    (tmp_path / "taken" / "file.txt").write_text("somebody's")
    assert "holds something that was not built here" in send(composer, "keep", folder="taken")._error
    assert sorted(path.name for path in tmp_path.iterdir()) == ["mine", "taken"]


def test_it_begins_with_the_sheet_in_the_works(others: dict[str, Any]) -> None:
    """The grafts, names, donors and edits of `%garage` lines, so that it builds what `build` would."""
    garage = Garage(BASE)
    garage.donor("twin", OTHER)
    garage.stack(f"0:3 {OTHER}[2:4]")
    garage.swap("ffn_1", "twin[ffn_3]", adapter="fit")
    garage.swap("attention_2", others["b"].model)
    garage.scale("layer_0", 0.9)
    composer = Composer(garage, {"b": OTHER})
    assert composer.wait(ENOUGH)

    grafts = garage.planned.grafts
    assert composer.worktop.grafts == grafts
    named = list(garage.planned.donors)
    assert list(composer.donors) == [*named, "b"]
    assert named == ["twin", OTHER]  # the live one is called what it was loaded as, which the stack says too
    assert [chip[0] for chip in composer._sheet["grafts"]] == [
        str(graft).removesuffix(" --adapter fit") for graft in grafts
    ]
    assert [edit[0] for edit in composer._sheet["edits"]] == ["scale layer_0 0.9"]
    expected = garage.build()
    send(composer, "make")
    assert torch.equal(logits(composer.value.model), logits(expected.model))
    assert garage.planned.grafts == grafts
    composer.close()


def test_a_sheet_of_another_base_is_refused_in_words(tmp_path: Path) -> None:
    first = Garage(BASE)
    first.swap("ffn_1", OTHER)
    first.sheet("save", str(tmp_path / "plan.json"))
    garage = Garage(OTHER)
    garage.sheet("open", str(tmp_path / "plan.json"))

    with pytest.raises(InputError, match=f"has {BASE} for its base, and {OTHER} is on the lift"):
        Composer(garage)


def test_the_recipe_in_force_is_built_in_and_a_change_of_it_is_seen(others: dict[str, Any]) -> None:
    garage = Garage(BASE)
    composer = grafted(Composer(garage, others))
    send(composer, "make")

    garage.scale("ffn_0", 0.5)
    assert composer.wait(ENOUGH)

    assert composer.value is None
    assert [edit[0] for edit in composer._sheet["edits"]] == ["scale ffn_0 0.5"]
    assert "edits=garage.edits.edits" in composer._python
    send(composer, "make")
    expected = build(
        BuildSheet(BASE, {BASE: garage.lifted, **others}, composer.worktop.grafts, edits=garage.edits.edits)
    )
    assert torch.equal(logits(composer.value.model), logits(expected.model))
    garage.reset()
    assert composer.wait(ENOUGH)
    assert composer._sheet["edits"] == []
    composer.close()


def test_a_donor_is_taken_off_and_is_gone(composer: Composer, others: dict[str, Any]) -> None:
    grafted(composer)
    before = composer.sheet
    assert f"b is still needed: {SWAP}." in send(composer, "dismiss", donor="b")._error
    assert "There is no donor 'x' on the bench." in send(composer, "dismiss", donor="x")._error
    assert (composer.sheet, list(composer.donors)) == (before, ["b", "g"])

    send(send(composer, "take_out", graft=0), "dismiss", donor="b")

    assert composer._error == ""
    assert [column["name"] for column in composer._beside] == ["g"]
    assert list(composer.donors) == list(composer._donors) == ["g"]
    assert composer.sheet["donors"] == {"g": UNLIKE}
    assert "There is nothing to undo." in send(composer, "undo")._error
    assert "There is no donor 'b'" in send(composer, "hold", donor="b", part="ffn_1")._error
    composer.add("b", others["b"])
    assert said(grafted(composer)) == [SWAP]


def test_an_adapter_is_chosen_on_a_graft_and_fitted_on_texts_that_are_given(
    composer: Composer, garage: Garage, others: dict[str, Any]
) -> None:
    texts = [f"The number {n} comes before the number {n + 1} and after {n - 1}." for n in range(12)]
    send(grafted(composer), "make")
    assert composer._sheet["joints"] == [["none", ["none", "fit", "untrained"], ""]]
    assert composer._on == "the showroom's texts"

    send(composer, "join", graft=0, adapter="fit")
    assert said(composer) == [f"{SWAP} --adapter fit"]
    assert composer._sheet["grafts"][0][0] == SWAP
    assert composer.value is None
    from_page(composer, fitting="\n".join(texts))
    assert composer._on == "12 texts of yours"
    send(composer, "make")

    sheet = BuildSheet(BASE, {BASE: garage.lifted, **others}, composer.worktop.grafts, texts=tuple(texts))
    assert torch.equal(logits(composer.value.model), logits(build(sheet).model))
    assert composer._proofs[-1][:2] == ["–", "adapter of attention_1"]
    assert "of 12 texts" in composer._proofs[-1][2]
    from_page(composer, fitting="\n".join(texts[:9]))
    assert composer.value is None  # it was fitted on others
    assert said(send(send(composer, "undo"), "redo")) == [f"{SWAP} --adapter fit"]
    assert "cannot be joined by 'glue'" in send(composer, "join", graft=0, adapter="glue")._error


def test_the_code_of_a_fitted_sheet_builds_the_same(composer: Composer) -> None:
    send(grafted(composer), "join", graft=0, adapter="fit")
    from_page(composer, fitting="\n".join(f"It is {n} and then {n + 1}, and after that {n + 2}." for n in range(20)))
    send(composer, "make")
    names: dict[str, Any] = {"b": composer._donors["b"], "g": composer._donors["g"]}

    exec(composer._python, names)  # noqa: S102 - our own lines are what is tested

    assert torch.equal(logits(names["hybrid"].model), logits(composer.value.model))


def test_it_judges_as_judge_does(composer: Composer, garage: Garage, others: dict[str, Any]) -> None:
    texts = ["The capital of France is Paris.", "The capital of Spain is Madrid."]
    send(grafted(composer), "make")
    from_page(composer, texts="\n".join(texts))

    send(composer, "judge")

    hybrid = composer.value
    expected = judge(
        lift(hybrid.model, tokenizer=hybrid.tokenizer), {BASE: garage.lifted, "b": others["b"]}, Recipe(), texts=texts
    )
    found = composer.evaluation.of("perplexity", "hybrid").estimate
    assert found == expected.of("perplexity", expected.names[0]).estimate
    assert composer._judged["heads"][:3] == ["hybrid", BASE, "b"]
    assert len(composer._judged["names"]) == len(composer._judged["cells"])


def test_without_texts_it_judges_on_items_of_the_showroom(composer: Composer) -> None:
    send(send(grafted(composer), "make"), "judge")

    assert "accuracy, facts" in composer._judged["names"]


def test_a_sheet_is_set_from_python_as_one_step(composer: Composer) -> None:
    grafts = [{"graft": "swap", "at": "ffn_0", "source": "b[ffn_1]", "adapter": "none"}]
    grafted(composer)

    composer.sheet = {**composer.sheet, "grafts": grafts, "name": "mine"}
    assert composer.wait(ENOUGH)

    assert said(composer) == ["swap ffn_0 b[ffn_1]"]
    assert composer.name == "mine"
    assert said(send(composer, "undo")) == [SWAP]


@pytest.mark.parametrize(
    "change",
    [
        {"version": 2},
        {"more": 1},
        {"grafts": [{"graft": "swap"}]},
        {"grafts": [{"graft": "swap", "at": "ffn_0", "source": "x[ffn_1]", "adapter": "none"}]},
        {"grafts": None},
    ],
)
def test_what_is_no_sheet_is_refused_and_the_old_one_stays(composer: Composer, change: dict[str, Any]) -> None:
    before = composer.sheet

    with pytest.raises((BuildError, InputError)):
        composer.sheet = {**before, **change}

    assert composer.sheet == before


def test_the_page_may_change_the_texts_alone(composer: Composer) -> None:
    before = composer.sheet
    for name, value in (("sheet", {}), ("donors", {"x": "y"}), ("_result", {}), ("value", 3), ("worktop", None)):
        from_page(composer, **{name: value})
        assert f"The page may not change {name!r}" in composer._error

    assert composer.sheet == before


def test_a_donor_is_brought_from_the_page_by_a_known_name_or_a_folder(composer: Composer, tmp_path: Path) -> None:
    folder = saved("llama", tmp_path / "mine")
    send(composer, "bring", source="showroom-moe", name="")
    send(composer, "bring", source=folder, name="mine")
    send(composer, "hold", donor="mine", part="attention_0")

    assert {name: composer.donors[name] for name in ("c", "mine")} == {"c": "showroom-moe", "mine": folder}
    assert [column["name"] for column in composer._beside] == ["b", "g", "c", "mine"]
    assert set(composer._offers["places"]) == {f"attention_{i}" for i in range(5)}


@pytest.mark.parametrize(
    "source", ["", "showroom-nothing", "../nowhere", "https://host/x", None, 3, "a\x00b", "x" * 9999]
)
def test_a_model_that_is_not_here_is_refused(composer: Composer, source: Any) -> None:
    send(composer, "bring", source=source, name="")

    assert "There is no model" in composer._error
    assert list(composer.donors) == ["b", "g"]


@pytest.mark.parametrize("name", ["b", "1", "a b", "for", BASE, "x" * 40, None, "x[y]"])
def test_a_name_that_cannot_be_on_a_sheet_is_refused(composer: Composer, name: Any) -> None:
    send(composer, "bring", source="showroom-moe", name=name)

    assert composer._error
    assert list(composer.donors) == ["b", "g"]


def test_a_folder_that_holds_no_model_is_an_error_and_the_bench_goes_on(composer: Composer, tmp_path: Path) -> None:
    (tmp_path / "config.json").write_text("{}")

    send(composer, "bring", source=str(tmp_path), name="bad")

    assert composer._error
    assert list(composer.donors) == ["b", "g"]
    assert said(grafted(composer)) == [SWAP]
    assert composer._error == ""


def test_a_donor_is_added_from_python_and_its_errors_are_raised(composer: Composer) -> None:
    live = tiny("llama")
    composer.add("live", live)
    assert composer.wait(ENOUGH)

    assert composer._beside[-1]["name"] == "live"
    assert "'live': live" in composer._python
    with pytest.raises(ModelNotFoundError):
        composer.add("gone", "/nowhere/at/all")
    with pytest.raises(InputError, match="no name for a donor"):
        composer.add("two words", live)
    assert list(composer.donors) == ["b", "g", "live"]


def test_a_live_base_is_a_variable_of_the_code() -> None:
    garage = Garage(tiny("llama"))
    composer = Composer(garage, {"b": tiny("llama", seed=1)})
    grafted(composer)
    names: dict[str, Any] = {"garage": garage, "b": composer._donors["b"]}

    exec(composer._python, names)  # noqa: S102 - our own lines are what is tested
    send(composer, "make")

    assert torch.equal(logits(names["hybrid"].model), logits(composer.value.model))
    composer.close()


def test_a_base_by_its_name_needs_no_garage() -> None:
    composer = Composer(BASE, {"b": OTHER})
    gc.collect()

    send(grafted(composer), "make")

    assert composer.value.proofs.ok
    composer.close()


def test_a_thousand_hostile_messages_leave_a_valid_bench(
    composer: Composer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    before, messages = Fingerprint.of(composer.garage.model), Messages(composer, seed=8)

    for number in range(1000):
        asked(composer, messages.message())
        name, value, _ = messages.state()
        from_page(composer, **{name: value})
        if number % 50 == 0:
            assert composer.wait(ENOUGH)
        assert len(composer._error) < 500

    assert composer.wait(ENOUGH)
    for state in composer.get_state().values():
        json.dumps(state, allow_nan=False, default=str).encode()
    assert before.differences(Fingerprint.of(composer.garage.model)) == {}
    assert list(tmp_path.iterdir()) == []
    composer.sheet = {**composer.sheet, "grafts": []}
    assert said(grafted(composer)) == [SWAP]


def test_the_picture_and_the_page_tell_the_sheet(composer: Composer, tmp_path: Path) -> None:
    send(grafted(composer), "make")
    data, _ = composer._repr_mimebundle_()
    page = composer.to_html(tmp_path / "bench.html").read_text(encoding="utf-8")

    assert data["text/plain"] == f"Composer({BASE}, {SWAP})"
    for html in (data["text/html"], page):
        for words in (SWAP, "fits", "the whole", "cached = uncached", "✓", f"{OTHER}: 5 layers"):
            assert words in html
        assert "<script" not in html


def test_it_keeps_no_base_in_memory() -> None:
    garage = Garage(BASE)
    gone = weakref.ref(garage.model)
    composer = Composer(garage, {"b": OTHER})
    grafted(composer)
    send(composer, "hold", donor="b", part="layer_1")

    del garage
    gc.collect()

    assert gone() is None
    before = composer.sheet
    assert grafted(composer)._error.startswith("The garage of this panel is gone.")
    assert composer.sheet == before
    composer.close()


def test_another_model_on_the_lift_is_not_built_from_by_mistake() -> None:
    garage = Garage(BASE)
    composer = grafted(Composer(garage, {"b": OTHER}))
    garage.load(UNLIKE)

    for kind in ("make", "undo"):
        assert send(composer, kind)._error.startswith("There is another model on the lift now.")
    assert said(composer) == [SWAP]
    composer.close()


def test_cancel_leaves_nothing_built(composer: Composer) -> None:
    grafted(composer)
    asked(composer, {"kind": "make"})
    asked(composer, {"kind": "stop"})
    assert composer.wait(ENOUGH)

    assert composer.value is None
    assert composer._progress == "Stopped."
    assert said(composer) == [SWAP]


def test_nothing_is_lost_that_is_asked_at_once(composer: Composer) -> None:
    asked(composer, {"kind": "bring", "source": "showroom-moe", "name": "m"})
    asked(composer, {"kind": "place", "donor": "b", "part": "ffn_0", "at": "ffn_1"})
    asked(composer, {"kind": "place", "donor": "b", "part": "attention_2", "at": "attention_1"})
    asked(composer, {"kind": "make"})
    assert composer.wait(ENOUGH)

    assert list(composer.donors) == ["b", "g", "m"]
    assert [graft for graft, _, _ in composer._sheet["grafts"]] == ["swap ffn_1 b[ffn_0]", SWAP]
    assert composer.value.check.sheet.grafts == composer.worktop.grafts


def test_what_is_asked_last_is_what_is_shown(composer: Composer) -> None:
    for layer in range(5):
        asked(composer, {"kind": "place", "donor": "b", "part": f"ffn_{layer}", "at": f"ffn_{layer}"})
    assert composer.wait(ENOUGH)

    assert [graft for graft, _, _ in composer._sheet["grafts"]] == said(composer)
    assert len(said(composer)) == 5
