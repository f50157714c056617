"""What goes into a pass: padding does not shift a number, and what the model cannot take is refused in words."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch

from garage_nb.core.batch import Limits, prepare
from garage_nb.errors import InputError
from garage_nb.snapshot.capture import SnapshotCapture
from tests.families import FAMILIES, POSITIONS, VOCAB, tiny
from tests.restored import left_as_it_was

TEXTS = [[3, 1, 4, 1, 5, 9, 2, 6, 53], [58, 9, 7], [9], [3, 2, 38, 4, 62, 6]]


# Mixtral's experts have no float64 product, and Gemma 2's eager mask overflows in it.
SINGLE_ONLY = {"mixtral", "gemma2"}


class Letters:
    """A tokenizer of one id a letter, as much of one as `prepare` needs."""

    pad_token_id = None

    def __call__(self, text: str) -> dict[str, list[int]]:
        return {"input_ids": [ord(letter) % VOCAB for letter in text if letter.isalpha()]}


def padded(side: str) -> dict[str, list[list[int]]]:
    longest = max(map(len, TEXTS))
    rows = {"input_ids": [], "attention_mask": []}
    for text in TEXTS:
        rest = [2] * (longest - len(text))
        ones, zeros = [1] * len(text), [0] * len(rest)
        rows["input_ids"].append(rest + text if side == "left" else text + rest)
        rows["attention_mask"].append(zeros + ones if side == "left" else ones + zeros)
    return rows


@pytest.mark.parametrize("side", ["left", "right"])
@pytest.mark.parametrize("model_type", FAMILIES)
def test_padding_shifts_nothing(model_type: str, side: str) -> None:
    """Every hidden state of every text is what it is when the text stands alone."""
    model = tiny(model_type)
    single = model_type in SINGLE_ONLY
    camera = SnapshotCapture(model if single else model.double())

    together = camera.run(padded(side), keep=True)

    for row, text in enumerate(TEXTS):
        alone = camera.run([text], keep=True)
        mine = slice(-len(text), None) if side == "left" else slice(len(text))
        for name in together:
            difference = (together[name].hidden[row, mine] - alone[name].hidden[0]).abs().max()
            assert difference <= (2e-5 if single else 1e-6), f"{name} of {text}"


@pytest.mark.parametrize("side", ["left", "right"])
def test_statistics_leave_padding_out(gpt2: Any, side: str) -> None:
    camera = SnapshotCapture(gpt2)
    rows = torch.cat([camera.run([text], keep=True)["layer_1"].hidden[0] for text in TEXTS]).double()

    snapshot = camera.run(padded(side))["layer_1"]

    assert snapshot.statistics.mean == pytest.approx(float(rows.mean()), rel=1e-6, abs=1e-6)
    assert snapshot.statistics.std == pytest.approx(float(rows.std(correction=0)), rel=1e-6)
    assert snapshot.statistics.norm == pytest.approx(float(rows.norm(dim=1).mean()), rel=1e-6)


@pytest.mark.parametrize("name", ["position_embedding", "embedding"])
def test_what_all_texts_share_can_be_read_under_padding(gpt2: Any, name: str) -> None:
    assert SnapshotCapture(gpt2).run(padded("right"), layers=[name])[name].statistics.non_finite == 0


def test_left_padding_gets_positions(gpt2: Any) -> None:
    batch = prepare({"input_ids": [[2, 2, 5, 6], [3, 4, 5, 6]], "attention_mask": [[0, 0, 1, 1], [1, 1, 1, 1]]}, gpt2)

    assert batch.position_ids is not None
    assert batch.position_ids.tolist() == [[0, 0, 0, 1], [0, 1, 2, 3]]
    assert prepare(padded("right"), gpt2).position_ids is None


def test_texts_of_unlike_length_are_padded_on_the_right(gpt2: Any) -> None:
    batch = prepare(["abcd", "xy"], gpt2, Letters())

    assert batch.attention_mask.tolist() == [[1, 1, 1, 1], [1, 1, 0, 0]]
    assert batch.input_ids[1, :2].tolist() == [ord("x") % VOCAB, ord("y") % VOCAB]


@pytest.mark.parametrize(
    "ids",
    [[1, 2, 3], (1, 2, 3), [[1, 2, 3]], range(1, 4), np.array([1, 2, 3]), torch.tensor([1, 2, 3], dtype=torch.int32),
     {"input_ids": [[1, 2, 3]]}, {"input_ids": torch.tensor([[1, 2, 3]]), "attention_mask": torch.ones(1, 3).long()},
     {"input_ids": [1, 2, 3], "attention_mask": [True, True, True]}],
)  # fmt: skip
def test_ids_come_in_many_shapes(gpt2: Any, ids: Any) -> None:
    batch = prepare(ids, gpt2)

    assert batch.input_ids.tolist() == [[1, 2, 3]]
    assert batch.attention_mask.tolist() == [[1, 1, 1]]


REFUSED = {
    "nothing": ([], "empty"),
    "an empty row": ([[]], "empty"),
    "an empty text": ("", "empty"),
    "spaces": (["fine", "  "], "empty"),
    "a text without a letter": ("123", "empty"),
    "one text without a letter": (["ab", "1"], "empty"),
    "only padding": ({"input_ids": [[1, 2], [3, 4]], "attention_mask": [[1, 1], [0, 0]]}, "empty"),
    "too long": ([1] * (POSITIONS + 1), f"{POSITIONS + 1} tokens"),
    "out of vocabulary": ([1, VOCAB], f"id {VOCAB} is out"),
    "negative": ([-1, 3], "id -1 is out"),
    "floats": ([1.0, 2.0], "float32"),
    "booleans": ([True, False], "bool"),
    "complex numbers": (torch.tensor([1j]), "complex"),
    "three axes": (torch.zeros(1, 2, 3).long(), r"\(1, 2, 3\)"),
    "a number": (5, r"\(\)"),
    "ragged rows": ([[1, 2], [3]], "list"),
    "None": (None, "NoneType"),
    "a mapping without ids": ({"ids": [1]}, "NoneType"),
    "a mask of another shape": ({"input_ids": [1, 2], "attention_mask": [1]}, "mask"),
    "a mask of other numbers": ({"input_ids": [1, 2], "attention_mask": [5, -1]}, "mask"),
    "a float mask": ({"input_ids": [1, 2], "attention_mask": [1.0, 1.0]}, "float32"),
    "an id no tensor holds": ([2**70], "list"),
}


@pytest.mark.parametrize("case", REFUSED)
def test_what_the_model_cannot_take_is_refused_and_nothing_changes(case: str) -> None:
    model, (asked, message) = tiny("gpt2", layers=1), REFUSED[case]

    with left_as_it_was(model), pytest.raises(InputError, match=message) as caught:
        SnapshotCapture(model, Letters()).run(asked)

    assert str(caught.value).count("\n") == 1


def test_a_text_needs_a_tokenizer(gpt2: Any) -> None:
    with pytest.raises(InputError, match="tokenizer"):
        prepare("hello", gpt2)


@pytest.mark.parametrize("model_type", FAMILIES)
def test_limits_are_the_models_own(model_type: str) -> None:
    model = tiny(model_type, layers=1)

    assert Limits.of(model) == Limits(VOCAB, POSITIONS)
    assert prepare([1] * POSITIONS, model).input_ids.shape == (1, POSITIONS)
