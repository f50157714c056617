"""Similarity: cosine and CKA against NumPy in float64 on transformers' own hidden states."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from garage_nb.analyze.similarity.alike import Rows, cka, cosines
from garage_nb.analyze.similarity.resemblance import Resemblance
from garage_nb.analyze.similarity.similarity import Similarity
from garage_nb.errors import InputError
from garage_nb.garage import Garage
from tests.coverage.zoo import Entry, build, inputs
from tests.families import saved, tiny
from tests.restored import left_as_it_was

TEXTS = [[3, 1, 4, 1, 5, 9, 2, 6, 53, 58], [2, 7, 1, 8], [1, 6, 1, 8, 0, 3, 3]]
PLACES = "layer_0.before,layer_0,layer_1"


def padded(left: bool) -> dict[str, list[list[int]]]:
    ids, mask = [], []
    for text in TEXTS:
        gap = [0] * (10 - len(text))
        ids.append(gap + text if left else text + gap)
        mask.append(gap + [1] * len(text) if left else [1] * len(text) + gap)
    return {"input_ids": ids, "attention_mask": mask}


@torch.no_grad()
def hidden(model: Any) -> list[np.ndarray]:
    """(tokens, dim) of the stream before the first block and behind all but the last, of all texts together."""
    told = [model(torch.tensor([text]), output_hidden_states=True, use_cache=False).hidden_states for text in TEXTS]
    return [np.concatenate([one[place][0].double().numpy() for one in told]) for place in range(3)]


def numpy_cka(x: np.ndarray, y: np.ndarray) -> float:
    x, y = x - x.mean(0), y - y.mean(0)
    return float(np.linalg.norm(y.T @ x) ** 2 / (np.linalg.norm(x.T @ x) * np.linalg.norm(y.T @ y)))


def numpy_cosine(x: np.ndarray, y: np.ndarray) -> np.ndarray:
    """NaN of a token whose vector is 0, as that of the padding token is in some families."""
    lengths = np.linalg.norm(x, axis=1) * np.linalg.norm(y, axis=1)
    return (x * y).sum(1) / np.where(lengths > 0, lengths, np.nan)


@pytest.mark.parametrize("left", [False, True], ids=["right", "left"])
@pytest.mark.parametrize("family", ["gpt2", "llama", "gemma2", "mixtral"])
def test_layers_are_compared_as_numpy_does(family: str, left: bool) -> None:
    model = tiny(family)
    theirs = hidden(model)

    with left_as_it_was(model):
        found = Garage(model).similarity(padded(left), layers=PLACES)

    assert isinstance(found, Similarity)
    assert found.tokens == sum(map(len, TEXTS))
    for row, x in zip(found.rows, theirs, strict=True):
        for column, y in zip(found.columns, theirs, strict=True):
            assert found.between(row, column) == pytest.approx(numpy_cka(x, y), abs=1e-5)
            assert found.between(row, column, "cosine") == pytest.approx(np.nanmean(numpy_cosine(x, y)), abs=1e-5)
    for step, x, y in zip(found.drift, theirs, theirs[1:], strict=False):
        lengths = np.where(x.any(1), np.linalg.norm(x, axis=1), np.nan)
        assert step.cosine == pytest.approx(np.nanmean(numpy_cosine(x, y)), abs=1e-5)
        assert step.step == pytest.approx(np.nanmean(np.linalg.norm(y - x, axis=1) / lengths), rel=1e-5)
        assert step.growth == pytest.approx(np.nanmean(np.linalg.norm(y, axis=1) / lengths), rel=1e-5)


@pytest.mark.parametrize(("tokens", "width", "other"), [(50, 6, 9), (5, 30, 40)])
def test_cka_is_blind_to_rotation_scale_and_shift(tokens: int, width: int, other: int) -> None:
    """In both ways of working it out; and it is not blind to all else."""
    generator = np.random.default_rng(0)
    x, noise = generator.normal(size=(tokens, width)), generator.normal(size=(tokens, other))
    rotation = np.linalg.qr(generator.normal(size=(width, width)))[0]
    mine, turned = Rows(torch.tensor(x)), Rows(torch.tensor(3 * x @ rotation + 5))

    assert cka(mine, turned) == pytest.approx(1, abs=1e-12)
    assert cka(mine, Rows(torch.tensor(noise))) == pytest.approx(numpy_cka(x, noise), abs=1e-12)
    assert cka(mine, Rows(torch.tensor(noise))) < 1


def test_what_is_not_defined_is_nan() -> None:
    same, zero = Rows(torch.ones(4, 3)), Rows(torch.zeros(4, 3))

    assert math.isnan(cka(same, Rows(torch.randn(4, 3, generator=torch.Generator().manual_seed(0)))))
    assert cosines(same, zero).isnan().all()
    assert cosines(same, Rows(torch.ones(4, 2))).isnan().all()


def test_two_models_of_different_widths_have_a_cka_and_no_cosine() -> None:
    small, large = tiny("llama"), tiny("gpt2", n_embd=48)
    garage = Garage(small)

    found = garage.similarity(padded(False), layers="0,1", other=large)

    assert isinstance(found, Similarity)
    for row, x in zip(found.rows, hidden(small)[1:], strict=True):
        for column, y in zip(found.columns, hidden(large)[1:], strict=True):
            assert found.between(row, column) == pytest.approx(numpy_cka(x, y), abs=1e-5)
            assert math.isnan(found.between(row, column, "cosine"))


def test_a_model_is_like_itself(llama: Any) -> None:
    found = Garage(llama).similarity(TEXTS[0], other=llama)

    assert isinstance(found, Similarity)
    assert all(found.between(name, name) == pytest.approx(1) for name in found.rows)
    assert all(found.between(name, name, "cosine") == pytest.approx(1) for name in found.rows)


def test_the_recipe_in_force_is_read(llama: Any) -> None:
    garage = Garage(llama)
    garage.scale("layer_1", -2)

    tuned = garage.similarity(TEXTS[0], other=llama)

    assert isinstance(tuned, Similarity)
    assert tuned.between("layer_0", "layer_0", "cosine") == pytest.approx(1)
    assert tuned.between("layer_1", "layer_1", "cosine") == pytest.approx(-1)
    assert tuned.between("layer_1", "layer_1") == pytest.approx(1)


@pytest.mark.parametrize("family", ["gpt2", "llama", "gemma2"])
def test_two_prompts_are_compared_token_by_token(family: str) -> None:
    model = tiny(family)
    prompt, other = [3, 1, 4, 1, 5, 9, 6, 53], [3, 1, 4, 7, 5, 9, 6, 53]
    with torch.no_grad():
        a, b = (model(torch.tensor([ids]), output_hidden_states=True).hidden_states for ids in (prompt, other))

    found = Garage(model).similarity(prompt, layers=PLACES, against=other)

    assert isinstance(found, Resemblance)
    assert found.tokens[3] == ("1", "7")
    for row, x, y in zip(found.values["cosine"], a, b, strict=False):
        assert row == pytest.approx(numpy_cosine(x[0].double().numpy(), y[0].double().numpy()), abs=1e-5)
        assert row[:3] == pytest.approx([1, 1, 1], abs=1e-9)  # nothing before has changed
    for row, x, y in zip(found.values["distance"], a, b, strict=False):
        assert row == pytest.approx(((y - x)[0].norm(dim=1) / x[0].norm(dim=1)).tolist(), abs=1e-5)


def test_what_cannot_be_compared_is_refused(llama: Any) -> None:
    garage = Garage(llama)

    with pytest.raises(InputError, match="10 and 4 tokens"):
        garage.similarity(TEXTS[0], against=TEXTS[1])
    with pytest.raises(InputError, match="at once"):
        garage.similarity(TEXTS[0], against=TEXTS[0], other=llama)
    with pytest.raises(InputError, match="as the second one"):
        garage.similarity(TEXTS[0], against=[[1, 2], [3, 4]])
    found = garage.similarity(TEXTS[0])
    assert isinstance(found, Similarity)
    with pytest.raises(InputError, match="There are: cosine, cka"):
        found.plot("euclid")
    with pytest.raises(InputError, match="not compared"):
        found.between("layer_0", "ffn_0")
    t5 = build(Entry("seq2seq", "t5", "T5ForConditionalGeneration"))
    with pytest.raises(InputError, match="one stack"):
        Garage(t5).similarity(inputs(t5), layers="encoder_layer_0,layer_0")


def test_models_that_read_a_text_otherwise_are_refused(tmp_path: Path) -> None:
    garage = Garage(saved("llama", tmp_path))

    with pytest.raises(InputError, match="one tokenizer"):
        garage.similarity("abc def", other="showroom-llama")


def test_it_can_be_drawn_and_told(llama: Any) -> None:
    garage = Garage(llama)
    found, pair = garage.similarity(TEXTS[0]), garage.similarity(TEXTS[0], against=TEXTS[0][::-1])
    assert isinstance(found, Similarity)
    assert isinstance(pair, Resemblance)

    assert found.plot().axes.images[0].get_array().tolist() == found.values["cka"]  # type: ignore[union-attr]
    assert pair.plot("distance").axes.images[0].get_array().tolist() == pair.values["distance"]  # type: ignore[union-attr]
    assert found.frame().loc[("layer_0", "layer_2"), "cka"] == found.between("layer_0", "layer_2")
    assert pair.frame().loc[("layer_2", 4), "cosine"] == pair.values["cosine"][2][4]
    assert "biased" in repr(found)
    with pytest.raises(InputError, match="There are: cosine, distance"):
        pair.plot("cka")
