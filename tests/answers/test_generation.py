"""What generate answers: the model's own words, seeded draws, and no answer at all from NaN."""

from __future__ import annotations

from typing import Any

import pytest
import torch

from garage_nb.errors import InputError, NotFiniteError
from garage_nb.garage import Garage
from garage_nb.view.palette import AMBER
from tests.families import tiny
from tests.restored import hooks_on

FRANCE = "The capital of France is"


@pytest.fixture(scope="module")
def shop() -> Garage:
    return Garage("showroom")


@pytest.fixture(autouse=True)
def nothing_in_force(shop: Garage) -> None:
    shop.reset()


def test_the_likeliest_continuation_is_transformers_own(shop: Garage) -> None:
    answer = shop.generate(FRANCE, tokens=4)

    inputs = shop.tokenizer(FRANCE, return_tensors="pt")
    ids = shop.model.generate(**inputs, max_new_tokens=4, do_sample=False)[0, inputs.input_ids.shape[1] :]
    assert answer.text == shop.tokenizer.decode(ids, skip_special_tokens=True)
    assert answer.text.startswith(" Paris")
    assert answer.untouched is None


def test_with_edits_in_force_both_are_said(shop: Garage) -> None:
    plain, hooks = shop.generate(FRANCE, tokens=4), hooks_on(shop.model)
    shop.scale("all", 0)

    tuned = shop.generate(FRANCE, tokens=4)

    assert tuned.untouched == plain.text != tuned.text
    assert hooks_on(shop.model) == hooks


def test_a_seed_draws_the_same_text_and_torchs_own_numbers_stay(shop: Garage) -> None:
    state = torch.get_rng_state()

    drawn = [shop.generate("The", tokens=8, temperature=2.0, seed=seed).text for seed in (1, 1, 2, 3, 4)]

    assert torch.equal(torch.get_rng_state(), state)
    assert drawn[0] == drawn[1]
    assert len(set(drawn)) > 1


REFUSED: dict[str, tuple[Any, dict[str, Any], str]] = {
    "nothing": ("", {}, "empty"),
    "blanks": (" \n ", {}, "empty"),
    "ids": ([3, 4], {}, "One text was expected, not list"),
    "texts": (["a", "b"], {}, "One text was expected"),
    "half a character": ("ab\ud800", {}, r"U\+D800.*position 2"),
    "no token": ("a", {"tokens": 0}, "0 new tokens"),
    "fewer than none": ("a", {"tokens": -3}, "-3 new tokens"),
    "more than fit": ("a", {"tokens": 5000}, "5000 more.*\n.*at most"),
    "too cold": ("a", {"temperature": -1.0}, "temperature of -1"),
    "no temperature": ("a", {"temperature": float("nan")}, "temperature of nan"),
    "no seed": ("a", {"seed": 2**70}, "is no seed"),
}


@pytest.mark.parametrize("case", REFUSED)
def test_what_cannot_be_continued_is_refused_in_two_lines(shop: Garage, case: str) -> None:
    prompt, options, message = REFUSED[case]

    with pytest.raises(InputError, match=message) as caught:
        shop.generate(prompt, **options)

    assert str(caught.value).count("\n") == 1


def test_a_text_for_a_model_without_tokenizer_is_refused() -> None:
    with pytest.raises(InputError, match="no tokenizer"):
        Garage(tiny("gpt2")).generate("hi")


@pytest.mark.parametrize("asked", ["generate", "compare"])
def test_an_answer_of_nan_is_refused_and_leaves_no_hook(shop: Garage, asked: str) -> None:
    hooks = hooks_on(shop.model)
    shop.through("layer_1", lambda hidden: hidden / 0)

    with pytest.raises(NotFiniteError, match=r"NaN or infinity.*\n.*(last edit|take it back)"):
        shop.generate("a") if asked == "generate" else shop.compare(prompt="a")

    assert hooks_on(shop.model) == hooks


def test_every_token_comes_with_the_models_own_probability(shop: Garage) -> None:
    answer = shop.generate(FRANCE, tokens=5, temperature=1.5, seed=1)

    ids = shop.tokenizer(FRANCE, return_tensors="pt").input_ids
    whole = torch.cat(
        [ids, shop.tokenizer(answer.text, return_tensors="pt", add_special_tokens=False).input_ids], dim=1
    )
    frame = answer.frame().loc["untouched"]
    written = whole.shape[1] - ids.shape[1]
    with torch.no_grad():
        shares = shop.model(whole).logits.float().softmax(-1)[0, ids.shape[1] - 1 : -1]
    expected = shares.gather(1, whole[0, ids.shape[1] :, None])[:, 0]
    assert "".join(frame["token"][:written]) == answer.text
    assert frame["probability"][:written].tolist() == pytest.approx(expected.tolist(), rel=1e-4)


def test_both_texts_are_framed_and_drawn(shop: Garage) -> None:
    shop.scale("layer_1", 0.5)
    answer = shop.generate(FRANCE, tokens=4)

    frame, lines = answer.frame(), answer.plot().axes.lines

    assert list(frame.index.names) == ["run", "step"]
    assert set(frame.index.get_level_values("run")) == {"tuned", "untouched"}
    for name, line in zip(("tuned", "untouched"), lines, strict=True):
        assert line.get_ydata().tolist() == frame.loc[name, "probability"].tolist()
    assert lines[0].get_color() == AMBER != lines[1].get_color()
