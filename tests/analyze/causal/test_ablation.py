"""An ablation scan is, cell by cell, one forward with a part's hidden states replaced by hand."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import Tensor

from garage_nb.analyze.causal.ablation import AblationScan, ablation
from garage_nb.errors import InputError, UnknownPartError
from garage_nb.garage import Garage
from garage_nb.inject.edits import Scale
from garage_nb.inject.recipe import Recipe
from tests.analyze.naive import hooked, last_logits, state
from tests.families import tiny
from tests.restored import hooks_on, left_as_it_was

PROMPTS = [[3, 1, 4, 1, 5, 9], [2, 7, 18, 28], [16, 18, 3, 39, 8, 8, 7, 4]]
PARTS = "layer_*,attention_*,ffn_*,attention_*.head_*"
TARGET, FOIL = 5, 9
CAPITALS = {"France": " Paris", "Japan": " Tokyo", "Italy": " Rome", "Spain": " Madrid"}


def padded(side: str) -> dict[str, list[list[int]]]:
    longest = max(map(len, PROMPTS))
    gaps = [[2] * (longest - len(ids)) for ids in PROMPTS]
    pairs = list(zip(PROMPTS, gaps, strict=True))
    ids = [gap + row if side == "left" else row + gap for row, gap in pairs]
    hides, shows = [[0] * len(gap) for gap in gaps], [[1] * len(row) for row in PROMPTS]
    real = [a + b for a, b in (zip(hides, shows, strict=True) if side == "left" else zip(shows, hides, strict=True))]
    return {"input_ids": ids, "attention_mask": real}


def scan(model: Any, parts: str = PARTS, recipe: Recipe | None = None, **options: Any) -> AblationScan:
    asked = {"prompts": padded("right"), "target": TARGET, "foil": FOIL, **options}
    return ablation(Garage(model).lifted, recipe=recipe or Recipe(), parts=parts, **asked)


def difference(logits: Tensor) -> float:
    return float(logits[TARGET] - logits[FOIL])


def naive(model: Any, parts: tuple[str, ...], put: Callable[[str, Tensor], Tensor]) -> Tensor:
    rows = []
    for ids in PROMPTS:
        before = difference(last_logits(model, ids))
        for name in parts:
            with hooked(model, name, lambda hidden, name=name: put(name, hidden)):  # type: ignore[misc]
                rows.append(difference(last_logits(model, ids)) - before)
    return torch.tensor(rows, dtype=torch.float64).reshape(len(PROMPTS), len(parts))


@pytest.mark.parametrize("family", ["gpt2", "llama", "gemma2", "mixtral"])
def test_zero(family: str) -> None:
    model = tiny(family)

    with left_as_it_was(model):
        found = scan(model)

    expected = naive(model, found.parts, lambda name, hidden: torch.zeros_like(hidden))
    torch.testing.assert_close(found.effects, expected, rtol=1e-5, atol=1e-5)
    assert found.effects.shape == (3, 21)
    assert found.untouched.tolist() == pytest.approx([difference(last_logits(model, ids)) for ids in PROMPTS], abs=1e-5)


@pytest.mark.parametrize("family", ["gpt2", "llama", "gemma2"])
def test_the_mean_is_that_of_all_tokens_of_all_prompts(family: str) -> None:
    model = tiny(family)

    found = scan(model, how="mean")

    means = {name: torch.cat([state(model, ids, name) for ids in PROMPTS]).double().mean(0) for name in found.parts}
    expected = naive(model, found.parts, lambda name, hidden: means[name].to(hidden).expand_as(hidden))
    torch.testing.assert_close(found.effects, expected, rtol=1e-5, atol=1e-5)


def test_the_mean_of_other_prompts(llama: Any) -> None:
    other = [[11, 12, 13]]

    found = scan(llama, "ffn_*", how="mean", reference=other)

    means = {name: state(llama, other[0], name).double().mean(0) for name in found.parts}
    expected = naive(llama, found.parts, lambda name, hidden: means[name].to(hidden).expand_as(hidden))
    torch.testing.assert_close(found.effects, expected, rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("family", ["gpt2", "llama", "gemma2"])
def test_resampling_draws_tokens_of_the_reference_by_its_seed(family: str) -> None:
    model = tiny(family)
    torch.manual_seed(1)
    random = torch.get_rng_state()

    found = scan(model, "attention_*", how="resample", seed=3)

    reference = {name: torch.cat([state(model, ids, name) for ids in PROMPTS]) for name in found.parts}

    def put(name: str, hidden: Tensor) -> Tensor:
        places = torch.randint(len(reference[name]), hidden.shape[:-1], generator=torch.Generator().manual_seed(3))
        return reference[name][places]

    torch.testing.assert_close(found.effects, naive(model, found.parts, put), rtol=1e-5, atol=1e-5)
    assert torch.equal(torch.get_rng_state(), random)
    assert torch.equal(scan(model, "attention_*", how="resample", seed=3).effects, found.effects)
    assert not torch.equal(scan(model, "attention_*", how="resample", seed=4).effects, found.effects)


@pytest.mark.parametrize("side", ["left", "right"])
def test_padding_changes_nothing(llama: Any, side: str) -> None:
    found = scan(llama, prompts=padded(side), how="mean")

    each = [scan(llama, prompts=ids, how="mean", reference=padded("right")).effects[0] for ids in PROMPTS]
    assert torch.equal(found.effects, torch.stack(each))


def test_the_recipe_is_in_force_also_in_the_reference(llama: Any) -> None:
    found = scan(llama, "ffn_2", Recipe((Scale("layer_0", 3.0),)), how="mean")

    with hooked(llama, "layer_0", lambda hidden: 3.0 * hidden):
        mean = torch.cat([state(llama, ids, "ffn_2") for ids in PROMPTS]).double().mean(0)
        expected = naive(llama, ("ffn_2",), lambda name, hidden: mean.to(hidden).expand_as(hidden))
    torch.testing.assert_close(found.effects, expected, rtol=1e-5, atol=1e-5)


def test_target_and_foil_are_each_prompts_own_first_and_second(llama: Any) -> None:
    found = scan(llama, "layer_1", target=None, foil=None)

    for place, ids in enumerate(PROMPTS):
        first, second = last_logits(llama, ids).topk(2).values.tolist()
        assert float(found.untouched[place]) == pytest.approx(first - second, abs=1e-5)
    assert found.label == "logit of its target − logit of its foil"
    assert scan(llama, "layer_1").label == "logit of '5' − logit of '9'"


def test_targets_one_for_each_prompt(llama: Any) -> None:
    found = scan(llama, "layer_1", target=[5, 6, 7], foil=[9, 10, 11])

    for place, ids in enumerate(PROMPTS):
        logits = last_logits(llama, ids)
        assert float(found.untouched[place]) == pytest.approx(float(logits[5 + place] - logits[9 + place]), abs=1e-5)


def test_a_divergence_is_from_the_untouched_run(llama: Any) -> None:
    found = scan(llama, "ffn_1", metric="divergence")

    assert found.untouched.tolist() == pytest.approx([0, 0, 0], abs=1e-9)
    for place, ids in enumerate(PROMPTS):
        before = last_logits(llama, ids).log_softmax(-1)
        with hooked(llama, "ffn_1", torch.zeros_like):
            after = last_logits(llama, ids).log_softmax(-1)
        expected = float((before.exp() * (before - after)).sum())
        assert float(found.effects[place, 0]) == pytest.approx(expected, rel=1e-4)


def test_what_takes_the_capital_away() -> None:
    garage = Garage("showroom")
    texts = [f"The capital of {country} is" for country in CAPITALS]

    found = ablation(
        garage.lifted, texts, Recipe(), "ffn_*,attention_*", metric="probability", target=list(CAPITALS.values())
    )

    assert float(found.untouched.min()) > 0.9
    assert found.prompts == tuple(texts)
    frame = found.frame()
    assert list(frame.index) == list(found.parts)
    assert bool((frame["low"] <= frame["effect"]).all())
    assert bool((frame["effect"] <= frame["high"]).all())
    assert found.best(1)[0][1] < -0.9
    assert "95 %" in repr(found)


REFUSED = {
    "how": ({"how": "zreo"}, InputError, "no ablation 'zreo'"),
    "part": ({"parts": "attention_0.head_7"}, UnknownPartError, "no part"),
    "metric": ({"metric": "loss"}, InputError, "no metric 'loss'"),
    "targets": ({"target": [5, 6]}, InputError, "2 targets were given for 3"),
    "same": ({"target": 5, "foil": 5}, InputError, "both '5'"),
    "seed": ({"how": "resample", "seed": 1.5}, InputError, "no seed"),
    "text": ({"target": "Paris"}, InputError, "no tokenizer"),
}


@pytest.mark.parametrize("case", REFUSED)
def test_what_cannot_be_scanned_is_refused_in_two_lines(llama: Any, case: str) -> None:
    options, kind, message = REFUSED[case]

    with pytest.raises(kind, match=message) as caught:
        scan(llama, **options)

    assert str(caught.value).count("\n") == 1
    assert hooks_on(llama) == {}


def test_a_reference_beyond_the_budget_is_refused(llama: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("garage_nb.analyze.causal.states.BUDGET", 100)

    with pytest.raises(InputError, match="KiB, more than 100 bytes"):
        scan(llama, how="mean")
    assert scan(llama).effects.shape == (3, 21)  # a zero needs none


def test_frames_and_plot(llama: Any) -> None:
    found = scan(llama, "layer_*,ffn_*")

    drawn = found.plot().axes.lines[-1].get_ydata()
    assert list(drawn) == found.effects.mean(0).tolist()
    assert found.each().shape == (18, 3)
    assert found.each().loc[(1, "ffn_0"), "effect"] == float(found.effects[1, 3])
    one = scan(llama, prompts=PROMPTS[0])
    assert one.frame()["low"].isna().all()
    assert one.plot().png()
