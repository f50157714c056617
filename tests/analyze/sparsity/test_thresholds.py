"""Threshold curves against hooks by hand: the same levels, the same zeros, transformers' own loss."""

from __future__ import annotations

import math
from collections.abc import Callable
from contextlib import ExitStack
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

from garage_nb.analyze.bootstrap import drawn_counts
from garage_nb.analyze.sparsity.threshold_curves import ThresholdCurves
from garage_nb.core.cancel import Cancel, cancellable
from garage_nb.errors import CancelledError, EditError, InputError, NotFiniteError, UnsupportedModelError
from garage_nb.garage import Garage
from garage_nb.inject.ablate import Ablate
from garage_nb.inject.recipe import Recipe
from tests.analyze.naive import hooked, state
from tests.coverage.zoo import Entry, build
from tests.families import tiny
from tests.restored import left_as_it_was

CALIBRATION = [[3, 1, 4, 1, 5, 9, 2], [6, 5, 3, 5], [8, 9, 7, 9, 3, 2, 3, 8]]
TRIAL = [[2, 7, 1, 8, 2, 8], [1, 8, 2, 8, 4], [5, 9, 0, 4, 5, 2, 3, 5, 3], [60, 2]]
SHARES = (0.0, 0.3, 0.5, 0.9)
PLACES = {
    "gpt2": ["ffn_0.neurons", "ffn_2.neurons"],
    "llama": ["ffn_1.neurons", "attention_1.heads", "layer_0"],
    "gemma2": ["ffn_0.neurons", "ffn_1.neurons", "attention_2"],
    "mixtral": ["ffn_0", "ffn_2", "attention_1.heads"],
}


def padded(texts: list[list[int]], *, left: bool = False) -> dict[str, list[list[int]]]:
    longest = max(map(len, texts))
    rows, masks = [], []
    for text in texts:
        pad = [0] * (longest - len(text))
        rows.append(pad + text if left else text + pad)
        masks.append([0] * len(pad) + [1] * len(text) if left else [1] * len(text) + [0] * len(pad))
    return {"input_ids": rows, "attention_mask": masks}


def run(garage: Garage, places: list[str], **options: Any) -> ThresholdCurves:
    given = {"shares": SHARES, "calibration": padded(CALIBRATION), **options}
    return garage.thresholds(padded(TRIAL), layers=",".join(places), **given)


@torch.no_grad()
def loss_under(model: Any, ids: list[int], changes: dict[str, Callable[[Tensor], Tensor]]) -> float:
    """Transformers' own, summed over its tokens."""
    with ExitStack() as stack:
        for name, change in changes.items():
            stack.enter_context(hooked(model, name, change))
        tensor = torch.tensor([ids])
        return float(model(tensor, labels=tensor).loss) * (len(ids) - 1)


def by_hand(model: Any, name: str, share: float) -> float:
    rows = np.abs(np.concatenate([state(model, text, name).numpy().ravel() for text in CALIBRATION]))
    rank = round(share * rows.size)
    return float(np.sort(rows)[rank - 1]) if rank else 0.0


def zeroing(level: float, counts: list[tuple[int, int]] | None = None) -> Callable[[Tensor], Tensor]:
    def change(hidden: Tensor) -> Tensor:
        found = torch.where(hidden.abs() <= level, 0, hidden)
        if counts is not None:
            counts.append((int((found == 0).sum()), found.numel()))
        return found

    return change


@pytest.mark.parametrize("family", PLACES)
def test_thresholds_are_hooks_by_hand(family: str) -> None:
    model, places = tiny(family), PLACES[family]
    with left_as_it_was(model):
        found = run(Garage(model), places, control="none")

    assert found.curves == ("threshold",)
    assert found.tokens.tolist() == [len(text) - 1 for text in TRIAL]
    for at, share in enumerate(SHARES):
        levels = {name: by_hand(model, name, share) for name in places}
        assert found.levels[:, at].tolist() == list(levels.values())
        counts: list[tuple[int, int]] = []
        changes = {name: zeroing(level, counts) for name, level in levels.items()}
        losses = [loss_under(model, text, changes) for text in TRIAL]
        assert found.losses[:, 0, at].tolist() == pytest.approx(losses, rel=2e-5)
        zeros, entries = map(sum, zip(*counts, strict=True))
        assert float(found.zeroed[0, at]) == pytest.approx(zeros / entries, abs=2e-3)
    assert found.untouched.tolist() == pytest.approx([loss_under(model, text, {}) for text in TRIAL], rel=1e-5)
    assert found.loss == pytest.approx(float(found.untouched.sum()) / 18, rel=1e-12)


@pytest.mark.parametrize("family", ["gpt2", "llama", "mixtral"])
def test_each_place_alone_too(family: str) -> None:
    model, places = tiny(family), PLACES[family]

    found = run(Garage(model), places, by="each")

    assert found.curves == found.parts == tuple(places)
    for place, name in enumerate(places):
        for at, share in enumerate(SHARES):
            counts: list[tuple[int, int]] = []
            change = {name: zeroing(by_hand(model, name, share), counts)}
            losses = [loss_under(model, text, change) for text in TRIAL]
            assert found.losses[:, place, at].tolist() == pytest.approx(losses, rel=2e-5)
            zeros, entries = map(sum, zip(*counts, strict=True))
            assert float(found.zeroed[place, at]) == pytest.approx(zeros / entries, abs=1e-9)
            assert float(found.thinned[place, at]) == float(found.zeroed[place, at])


@pytest.mark.parametrize("family", ["gpt2", "llama", "gemma2"])
def test_the_contextual_control_is_a_loop_over_tokens(family: str) -> None:
    model, places = tiny(family), PLACES[family][:2]

    zeros: list[float] = []

    def thinned(share: float) -> Callable[[Tensor], Tensor]:
        def change(hidden: Tensor) -> Tensor:
            rows = hidden.clone()
            for row in rows[0]:
                row[row.abs().argsort()[: round(share * len(row))]] = 0
                zeros.append(float((row == 0).double().mean()))
            return rows

        return change

    found = run(Garage(model), places, control="contextual", shares=(0.5, 0.999))

    for at, share in enumerate(found.shares):
        losses = [loss_under(model, text, {name: thinned(share) for name in places}) for text in TRIAL]
        assert found.losses[:, 1, at].tolist() == pytest.approx(losses, rel=2e-5)
        assert float(found.zeroed[1, at]) == pytest.approx(np.mean(zeros[-44:]), abs=1e-9)
    gone = dict.fromkeys(places, torch.zeros_like)
    assert found.losses[:, 1, 1].tolist() == pytest.approx([loss_under(model, text, gone) for text in TRIAL], rel=1e-5)


def test_chance_zeroes_as_many_and_costs_more() -> None:
    """In a model that learned something."""
    garage = Garage("showroom")
    texts = [f"What is the capital of {country}?" for country in ("Peru", "France", "Japan", "Spain", "Italy", "Kenya")]

    with left_as_it_was(garage.model):
        found = garage.thresholds(texts, shares="0.3,0.6", seed=5)

    assert found.curves == ("threshold", "random", "contextual")
    assert found.zeroed[1].tolist() == found.zeroed[0].tolist()
    rise = found.rise
    assert (rise.low[1] > rise.high[0]).all()
    assert found.best(0.1) == 0.6
    assert found.best(0.1, "random") is None
    again = [garage.thresholds(texts, shares="0.3,0.6", seed=seed).frame() for seed in (5, 6)]
    assert again[0].equals(found.frame())
    assert not again[1].loc["random"].equals(found.frame().loc["random"])


@pytest.mark.parametrize("family", ["gpt2", "llama", "mixtral"])
def test_nothing_zeroed_is_untouched_bit_for_bit(family: str) -> None:
    found = run(Garage(tiny(family)), PLACES[family], shares=0.0)

    assert found.shares == (0.0,)
    for curve in range(3):
        assert torch.equal(found.losses[:, curve, 0], found.untouched)
    assert found.rise.mean.tolist() == found.rise.low.tolist() == found.rise.high.tolist() == [[0.0]] * 3


def test_a_model_with_exact_zeros_says_so() -> None:
    model = build(Entry("causal", "opt", "OPTForCausalLM"))
    names = ["ffn_0.neurons", "ffn_1.neurons"]
    expected = []
    for name in names:
        counts: list[tuple[int, int]] = []
        for text in TRIAL:
            loss_under(model, text, {name: zeroing(0.0, counts)})
        zeros, entries = map(sum, zip(*counts, strict=True))
        expected.append(zeros / entries)

    found = run(Garage(model), names, control="random")

    assert min(expected) > 0.2
    assert found.exact_zeros.tolist() == pytest.approx(expected, abs=1e-9)
    assert found.zeros == pytest.approx(sum(expected) / 2, abs=1e-9)
    assert found.zeroed[0, 0] == found.zeros
    assert found.zeroed[1].tolist() == pytest.approx(found.zeroed[0].tolist(), abs=0.05)
    places = found.places()
    assert places.loc[("ffn_1.neurons", 0.0), "exact_zeros"] == pytest.approx(expected[1])
    assert f"{found.zeros:.3f}" in repr(found)


def test_the_interval_redraws_prompts_in_pairs(llama: Any) -> None:
    found = run(Garage(llama), ["ffn_1.neurons"], seed=3)

    counts = drawn_counts(len(TRIAL), 4000, 3).numpy()
    rises = (found.losses[:, 0, 3] - found.untouched).numpy()
    drawn = counts @ rises / (counts @ found.tokens.numpy())
    assert float(found.rise.mean[0, 3]) == pytest.approx(rises.sum() / 18)
    assert float(found.rise.low[0, 3]) == pytest.approx(np.quantile(drawn, 0.025))
    assert float(found.rise.high[0, 3]) == pytest.approx(np.quantile(drawn, 0.975))
    frame = found.frame()
    assert frame.loc[("threshold", 0.9), "loss"] == pytest.approx(found.loss + rises.sum() / 18)


@pytest.mark.parametrize("left", [True, False])
def test_padding_makes_no_difference(llama: Any, left: bool) -> None:
    garage, random = Garage(llama), torch.get_rng_state()
    texts = {"calibration": padded(CALIBRATION, left=left), "shares": SHARES, "layers": "ffn_*.neurons"}

    found = garage.thresholds(padded(TRIAL, left=left), **texts)

    alone = garage.thresholds({"a": padded(TRIAL[:1]), "b": padded(TRIAL[1:])}, **texts)
    assert torch.equal(found.losses, alone.losses)
    assert torch.equal(found.levels, alone.levels)
    assert torch.equal(torch.get_rng_state(), random)


def test_the_recipe_in_force_acts_first(llama: Any) -> None:
    garage, edited = Garage(llama), Garage(llama)
    edited.scale("ffn_1.neurons", 2.0)

    found, plain = (run(one, ["ffn_1.neurons"], control="none") for one in (edited, garage))

    assert torch.equal(found.levels, 2 * plain.levels)
    assert found.zeroed.tolist() == plain.zeroed.tolist()
    doubled = {"ffn_1.neurons": lambda hidden: 2 * hidden}
    assert found.untouched.tolist() == pytest.approx([loss_under(llama, text, doubled) for text in TRIAL], rel=1e-5)


def test_what_is_put_in_force_by_hand_is_what_was_measured(llama: Any) -> None:
    """Share by share: levels are there to be used with the verb `threshold`."""
    garage = Garage(llama)
    found = run(garage, ["ffn_0.neurons", "ffn_2.neurons"], control="none")
    level = found.places()["level"]

    for place in ("ffn_0.neurons", "ffn_2.neurons"):
        garage.threshold(place, level[(place, 0.5)])
    with garage.in_force():
        assert loss_under(llama, TRIAL[0], {}) == pytest.approx(float(found.losses[0, 0, 2]), rel=2e-5)


def test_one_set_of_texts_is_split(llama: Any) -> None:
    """Every other one; a text that is said twice counts once."""
    garage = Garage(llama)
    both = [text for pair in zip(CALIBRATION, TRIAL, strict=False) for text in pair]

    split = garage.thresholds(padded([*both, both[0]]), layers="ffn_*.neurons", shares="0.5")

    apart = garage.thresholds(padded(TRIAL[:3]), layers="ffn_*.neurons", shares="0.5", calibration=padded(CALIBRATION))
    assert split.frame().equals(apart.frame())
    assert "every other prompt, 3 of 6" in repr(split)
    assert "3 other texts" in repr(apart)


def test_the_showroom_has_texts_of_its_own(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("garage_nb.garage.scanning.THINNED_TEXTS", 1)

    found = Garage("showroom").thresholds(shares="0,0.5", layers="ffn_*.neurons")

    assert len(found.tokens) == 8
    assert "8 other texts" in repr(found)
    assert found.best() == 0.5


REFUSED: dict[str, tuple[dict[str, Any], str]] = {
    "all": ({"shares": "0.5,1"}, "1 is no share"),
    "less than nothing": ({"shares": -0.1}, "-0.1 is no share"),
    "no such control": ({"control": "magic"}, "no way 'magic'"),
    "no such way": ({"by": "hand"}, "no way 'hand'"),
    "the same texts": ({"calibration": padded(TRIAL[:2])}, "2 of 4 prompts also calibrate"),
}


@pytest.mark.parametrize("case", REFUSED)
def test_what_cannot_be_asked_is_refused_in_two_lines(llama: Any, case: str) -> None:
    options, message = REFUSED[case]

    with pytest.raises(InputError, match=message) as caught:
        run(Garage(llama), ["ffn_1.neurons"], **options)

    assert str(caught.value).count("\n") == 1


def test_what_cannot_be_measured_is_refused(llama: Any) -> None:
    garage = Garage(llama)

    with pytest.raises(InputError, match="One prompt cannot both calibrate and be tried") as caught:
        garage.thresholds([[1, 2, 3]])
    assert "--calibration" in str(caught.value)
    with pytest.raises(InputError, match="nothing to predict"):
        garage.thresholds([[1], [2]], layers="ffn_1.neurons")
    with pytest.raises(InputError, match="no tokenizer"):
        garage.thresholds(["a text", "another"])
    with pytest.raises(EditError, match="can be read, not changed"):
        run(garage, ["attention_1.pattern"])
    with pytest.raises(UnsupportedModelError, match="does not predict"):
        run(Garage(llama.model), ["ffn_1"])
    with torch.no_grad():
        llama.lm_head.weight[7, 7] = math.nan
    with pytest.raises(NotFiniteError, match="NaN"):
        run(garage, ["ffn_1.neurons"])


def test_a_single_prompt_has_no_interval(llama: Any) -> None:
    found = Garage(llama).thresholds(
        [TRIAL[0]], layers="ffn_1.neurons", shares="0.5", calibration=padded(CALIBRATION), control="none"
    )

    assert found.rise.low.isnan().all()
    with pytest.raises(InputError, match="no interval"):
        found.best()
    assert "one prompt" in repr(found)
    assert found.plot().axes.get_ylabel() == "loss, nats per token"


def test_best_is_the_largest_share_that_is_surely_cheap() -> None:
    losses = torch.tensor([[[1.0, 1.2, 3.0], [1.0, 5.0, 1.1]], [[2.0, 2.1, 6.0], [2.0, 7.0, 2.0]]]).double()
    found = made(curves=("threshold", "random"), shares=(0.0, 0.5, 0.9), losses=losses)

    assert found.loss == 0.5
    assert found.best(0.11) == 0.5
    assert found.best(0.05) == 0.0
    assert found.best(0.06, "random") == 0.9
    assert found.best(-1) is None
    with pytest.raises(InputError, match="There are: threshold, random"):
        found.best(0.1, "contextual")


def test_it_can_be_cancelled(llama: Any) -> None:
    garage, cancel = Garage(llama), Cancel()
    run(garage, ["ffn_1.neurons"])
    cancel.ask()

    with left_as_it_was(llama), cancellable(cancel), pytest.raises(CancelledError):
        run(garage, ["ffn_1.neurons"])


def test_it_can_be_drawn_and_told(llama: Any) -> None:
    garage = Garage(llama)
    found, each = run(garage, ["ffn_*.neurons"]), run(garage, ["ffn_*.neurons"], by="each")

    axes = found.plot().axes
    lines = {str(line.get_label()): line for line in axes.get_lines()}
    assert list(lines) == ["untouched", "threshold", "random", "contextual"]
    assert lines["threshold"].get_xdata().tolist() == found.zeroed[0].tolist()
    assert lines["random"].get_ydata().tolist() == (found.rise.mean[1] + found.loss).tolist()
    assert len({(line.get_linestyle(), line.get_marker(), str(line.get_color())) for line in lines.values()}) == 4
    assert "nats per token" in axes.get_ylabel()
    assert "share of activations" in axes.get_xlabel()
    assert [line.get_label() for line in each.plot().axes.get_lines()] == ["untouched", *each.parts]
    assert "saves no time" in repr(found)
    assert list(each.frame().index.names) == ["part", "share"]
    with pytest.raises(InputError, match="There is no curve None"):
        each.best()
    assert each.best(100, "ffn_2.neurons") == 0.9
    assert "share for" in repr(each)


def test_many_places_are_not_all_told() -> None:
    parts = tuple(f"ffn_{number}" for number in range(42))
    losses = torch.ones(2, 42, 1, dtype=torch.float64)

    found = made(curves=parts, parts=parts, shares=(0.5,), losses=losses)

    assert found.picture().caption.endswith("2 more in .frame()")
    assert len(found.picture().names) == 40
    assert len(found.frame()) == 42
    assert found.plot().axes.get_legend() is None


def made(parts: tuple[str, ...] = ("ffn_0",), **given: Any) -> ThresholdCurves:
    shape = (len(given["curves"]), len(given["shares"]))
    wide = torch.zeros(len(parts), shape[1])
    return ThresholdCurves(
        model_id="m", calibrated="others", parts=parts, levels=wide, thinned=wide, exact_zeros=wide[:, 0], zeros=0.0,
        zeroed=torch.rand(shape), untouched=torch.tensor([1.0, 2.0]).double(), tokens=torch.tensor([2.0, 4.0]), **given,
    )  # fmt: skip


def test_full_thinning_of_one_part_is_its_ablation(llama: Any) -> None:
    garage = Garage(llama)
    found = run(garage, ["ffn_1"], control="contextual", shares=0.999)

    garage.apply(Recipe((Ablate("ffn_1"),)))
    with garage.in_force():
        expected = [loss_under(llama, text, {}) for text in TRIAL]
    assert found.losses[:, 1, 0].tolist() == pytest.approx(expected, rel=1e-5)
