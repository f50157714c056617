"""Paper: losses as a loop over texts without padding in double precision has them, answers as `judge` counts them."""

from __future__ import annotations

from typing import Any

import pytest
import torch

from garage_nb.analyze.judging import sheets as module
from garage_nb.analyze.judging.judge import judge
from garage_nb.analyze.judging.paper import paper
from garage_nb.analyze.judging.sheets import ROOM, ROWS, Row, rows_in_room
from garage_nb.errors import InputError, NotFiniteError, UnsupportedModelError
from garage_nb.inject.edits import Scale
from garage_nb.inject.recipe import Recipe
from garage_nb.registry.lift import lift
from garage_nb.showroom import items
from tests.analyze.judging.models import showroom
from tests.compose.bench import model
from tests.coverage.zoo import Entry, build
from tests.families import tiny
from tests.restored import left_as_it_was

TEXTS = [[3, 1, 4, 1, 5, 9, 2, 6], [53, 58, 9], [7, 9, 32, 38, 46, 26, 43, 38, 32, 7, 9], [5, 8]]


def padded(texts: list[list[int]]) -> dict[str, torch.Tensor]:
    longest = max(map(len, texts))
    return {
        "input_ids": torch.tensor([text + [0] * (longest - len(text)) for text in texts]),
        "attention_mask": torch.tensor([[1] * len(text) + [0] * (longest - len(text)) for text in texts]),
    }


@torch.no_grad()
def losses_of(model: Any, texts: list[list[int]]) -> list[float]:
    """Of each text by itself, summed."""
    found = []
    for ids in texts:
        logits = model(torch.tensor([ids]), use_cache=False).logits[0, :-1].double()
        found.append(float(-logits.log_softmax(-1)[range(len(ids) - 1), ids[1:]].sum()))
    return found


@pytest.mark.parametrize("family", ["gpt2", "llama", "mixtral", "gemma2", "bloom", "opt", "mamba"])
def test_losses_are_a_loop_over_texts(family: str) -> None:
    made = tiny(family) if family == "mamba" else model(family)

    asked = paper(lift(made), padded(TEXTS))
    found = asked.marks(made)

    assert found.losses.tolist() == pytest.approx(losses_of(made, TEXTS), rel=2e-5)
    assert asked.tokens.tolist() == [len(text) - 1 for text in TEXTS]
    assert asked.read == {tuple(text) for text in TEXTS}
    assert asked.counted == "4 texts of 20 tokens"
    assert found.right.numel() == 0


def test_in_half_the_precision() -> None:
    made = model("llama").to(torch.bfloat16)

    found = paper(lift(made), padded(TEXTS)).marks(made)

    assert found.losses.tolist() == pytest.approx(losses_of(made, TEXTS), rel=2e-2)


@pytest.mark.parametrize(
    ("tokens", "numbers", "rows"), [(8, 64, ROWS), (128, 50_257, 2), (128, 10**6, 1), (0, 9, ROWS)]
)
def test_a_sheet_has_room_for_what_a_pass_leaves(tokens: int, numbers: int, rows: int) -> None:
    longest = Row(0, tuple(range(tokens)), (True,) * tokens)

    assert rows_in_room([Row(1, (3,), (True,)), longest] if tokens else [], numbers) == rows
    assert rows == 1 or rows * tokens * numbers * torch.float32.itemsize <= ROOM


def test_as_many_rows_as_have_room(monkeypatch: pytest.MonkeyPatch) -> None:
    made = model("llama")
    whole = paper(lift(made), padded(TEXTS))
    monkeypatch.setattr(module, "ROOM", 1)

    single = paper(lift(made), padded(TEXTS))

    assert [len(sheet.ids) for sheet in whole.texts] == [4]
    assert [len(sheet.ids) for sheet in single.texts] == [1, 1, 1, 1]
    assert single.marks(made).losses.tolist() == pytest.approx(whole.marks(made).losses.tolist(), rel=1e-5)


def test_answers_and_losses_are_those_of_judge() -> None:
    """In other batches, and each item once."""
    one, other = showroom(), showroom("showroom-llama-seed1")
    drawn = [item for domain in ("facts", "recall") for item in items(domain, n=12)]
    texts = {"a": [item.text for item in drawn]}
    exercises = [item.exercise for item in drawn]

    asked = paper(one, texts, exercises)
    judged = judge(one, {"other": other}, Recipe(), texts=texts, exercises=exercises)

    assert judged.texts is not None
    assert judged.items is not None
    for place, each in enumerate((one, other)):
        found = asked.marks(each.model)
        assert found.right.bool().tolist() == judged.items.right[place].tolist()
        assert found.losses.tolist() == pytest.approx(judged.texts.losses[place].tolist(), rel=1e-5)
    assert asked.tokens.tolist() == judged.texts.tokens[0].tolist()
    assert asked.asked == judged.items.domains


def test_taps_are_fresh_for_every_pass_and_leave_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    made = model("gpt2")
    lifted, edit = lift(made), Scale("ffn_1", 0.0)
    monkeypatch.setattr(module, "ROOM", 1)
    asked, made_of = paper(lifted, padded(TEXTS)), list[int]()

    def taps() -> list[Any]:
        made_of.append(1)
        return [edit.tap(lifted.spec)]

    with left_as_it_was(made):
        found = asked.marks(made, taps)

    assert len(made_of) == len(TEXTS)
    assert found.losses.tolist() != pytest.approx(losses_of(made, TEXTS), rel=1e-3)


def test_what_is_not_finite_has_no_marks() -> None:
    made = model("llama")
    asked = paper(lift(made), padded(TEXTS))
    with torch.no_grad():
        made.lm_head.weight[0] = torch.nan

    with pytest.raises(NotFiniteError, match="hold NaN"):
        asked.marks(made)


def test_nothing_to_mark_by() -> None:
    with pytest.raises(InputError, match="nothing to judge by"):
        paper(lift(model("llama")), None)


def test_a_text_that_is_written_apart_is_refused() -> None:
    made = build(Entry("seq2seq", "t5", "T5ForConditionalGeneration"))

    with pytest.raises(UnsupportedModelError, match="apart from what it writes"):
        paper(lift(made), {"input_ids": torch.tensor([[3, 4, 5]]), "decoder_input_ids": torch.tensor([[0, 4, 5]])})
