"""The trade-off: every arm keeps as many neurons, and says what hooks of torch's own say."""

from __future__ import annotations

from dataclasses import replace
from functools import cache

import pytest
import torch
from torch import Tensor

from garage_nb.analyze.judging.contest import Contest
from garage_nb.analyze.judging.exercise import exercises_of
from garage_nb.analyze.pathways.activity import activity, reach
from garage_nb.analyze.pathways.arms import Grounds, arms
from garage_nb.analyze.pathways.effects import estimated
from garage_nb.analyze.pathways.half import Half, halves
from garage_nb.analyze.pathways.tradeoff import tradeoff
from garage_nb.analyze.pathways.tradeoff_curves import TradeoffCurves
from garage_nb.core.fingerprint import Fingerprint
from garage_nb.errors import InputError
from garage_nb.inject.mask import Mask
from garage_nb.inject.recipe import Recipe

from .ground import ITEMS, PARTS, small

KEEP = [0.25, 1.0]


@cache
def ground(family: str = "llama", fill: str = "zero") -> tuple[Grounds, Half]:
    choosing, testing = halves(small(family), exercises_of(ITEMS), Recipe(), 0)
    active = activity(choosing, PARTS)
    fills = {name: one.mean for name, one in active.items()} if fill == "mean" else {}
    lengths = {name: reach(small(family), name) for name in PARTS}
    effects = estimated(choosing, PARTS, fills)
    return Grounds(effects=effects, active=active, reach=lengths, fill=fill, domains=2, seed=0), testing


@cache
def found(fill: str = "zero") -> TradeoffCurves:
    return tradeoff(small("llama"), ITEMS, Recipe(), keep=KEEP, fill=fill)


@pytest.mark.parametrize("fill", ["zero", "mean"])
def test_with_all_neurons_nothing_changes(fill: str) -> None:
    one = found(fill)

    dense = ground()[1].scores()
    assert one.shares == (0.25, 1.0)
    assert torch.allclose(one.dense.log_probs, dense.log_probs, atol=1e-9)
    assert torch.allclose(one.log_probs[:, 1], dense.log_probs.expand(len(one.arms), -1), atol=1e-5)
    assert torch.equal(one.right[:, 1], dense.right.double().expand(len(one.arms), -1))
    sure, n = one.change("accuracy"), one.right.shape[-1]
    assert (float(sure.low[1]), float(sure.high[1])) == Contest(won=0, lost=0, n=n).interval


def test_own_is_the_mask_of_the_largest_effects_on_each_domain() -> None:
    grounds, testing = ground()

    expected = torch.zeros(len(testing.rows), dtype=torch.float64)
    for domain in range(2):
        edits = [Mask(name, keep=grounds.effects[name].size[domain].topk(16).indices.tolist()) for name in PARTS]
        mine = testing.which == domain
        expected[mine] = testing.scores(edits).log_probs[mine]
    assert torch.allclose(found().log_probs[0, 0], expected, atol=1e-6)
    interval = found().change()
    moved = (expected - testing.scores().log_probs).mean()
    assert torch.isclose(interval.mean[0], moved, atol=1e-6)
    assert interval.low[0] <= moved <= interval.high[0]


def test_every_arm_of_masks_keeps_as_many() -> None:
    grounds, _ = ground()

    for name, way in arms(grounds).items():
        several = way(grounds, 1, 0.25)
        assert len(several) == {"random": 3, "other": 1}.get(name, 1)
        for edit in (edit for edits in several for edit in edits if name != "contextual"):
            assert isinstance(edit, Mask)
            assert isinstance(edit.keep, tuple)
            assert len(edit.keep) == 16
            assert (edit.fill is not None) == (name == "own, means")


def test_other_is_the_other_domains_choice() -> None:
    grounds, _ = ground()
    ways = arms(grounds)

    assert ways["other"](grounds, 0, 0.25) == ways["own"](grounds, 1, 0.25)
    assert ways["random"](grounds, 0, 0.25) == ways["random"](grounds, 0, 0.25)
    fewer, more = (ways["random"](grounds, 0, share)[0][0] for share in (0.25, 0.5))
    assert set(fewer.values()["keep"]) < set(more.values()["keep"])


@pytest.mark.parametrize("arm", ["random", "other"])
def test_no_seed_and_domain_draw_what_another_draws(arm: str) -> None:
    """Every domain's largest effects are those of a neuron of its own: what stays tells whose choice it is."""
    grounds, _ = ground()
    effects = {name: replace(one, size=torch.eye(64)) for name, one in grounds.effects.items()}
    whole = replace(grounds, effects=effects, domains=64)
    way = arms(whole)[arm]

    drawn = [
        tuple(edits[0].values()["keep"] for edits in way(replace(whole, seed=seed), domain, 1 / 64))
        for seed in range(4)
        for domain in range(6)
    ]

    assert len(set(drawn)) == len(drawn) == 24


@pytest.mark.parametrize("fill", ["zero", "mean"])
def test_the_contextual_arm_chooses_for_each_token(fill: str) -> None:
    grounds, _ = ground("gpt2", fill)
    edit = arms(grounds)["contextual"](grounds, 0, 0.25)[0][0]
    hidden: Tensor = torch.randn(2, 3, 128, generator=torch.Generator().manual_seed(0))

    written = edit.values()["module"](hidden)

    for row in range(2):
        for token in range(3):
            sizes = hidden[row, token].abs() * grounds.reach["ffn_0"].float()
            stays = sizes >= sizes.sort(descending=True).values[31]
            instead = grounds.active["ffn_0"].mean.float() if fill == "mean" else torch.zeros(128)
            assert torch.equal(written[row, token], torch.where(stays, hidden[row, token], instead))


def test_one_domain_has_no_other() -> None:
    one = tradeoff(small("llama"), [item for item in ITEMS if item["domain"] == "turn"], Recipe(), "ffn_1", keep=[0.5])

    assert one.arms == ("own", "own, means", "random", "magnitude", "contextual")
    assert len(one.frame()) == 5


def test_it_shows_itself_and_disturbs_nothing() -> None:
    lifted, drawn = small("llama"), torch.get_rng_state()
    before = Fingerprint.of(lifted.model)

    again = tradeoff(lifted, ITEMS, Recipe(), keep=KEEP[::-1])

    assert repr(again) == repr(found())
    assert "saves no time" in repr(again)
    assert not before.differences(Fingerprint.of(lifted.model))
    assert torch.equal(torch.get_rng_state(), drawn)
    assert again.plot("accuracy", "turn").png().startswith(b"\x89PNG")
    frame = again.frame()
    assert frame.loc[("own", 0.25, "all"), "log_prob"] == pytest.approx(float(again.log_probs[0, 0].mean()))
    assert again.least(100.0) == 0.25
    assert again.least(-1.0) is None


def test_what_cannot_be_asked_is_refused() -> None:
    lifted = small("llama")

    for share in (0.0, 1.5, float("nan")):
        with pytest.raises(InputError, match="is no share that can be kept"):
            tradeoff(lifted, ITEMS, Recipe(), keep=[0.5, share])
    with pytest.raises(InputError, match="No shares were given"):
        tradeoff(lifted, ITEMS, Recipe(), keep=[])
    with pytest.raises(InputError, match="There is no arm 'best'"):
        found().change(arm="best")
    with pytest.raises(InputError, match="There is no measure 'loss'"):
        found().plot("loss")
    with pytest.raises(InputError, match="There is no domain 'facts'"):
        found().plot(domain="facts")
