"""Pathways as a whole: what is chosen is tried on other items, together, and becomes edits."""

from __future__ import annotations

from functools import cache
from typing import Any

import pytest
import torch
from torch import Tensor

from garage_nb.analyze.judging.exercise import exercises_of
from garage_nb.analyze.pathways.answer import FoundPathways
from garage_nb.analyze.pathways.half import halves
from garage_nb.analyze.pathways.harmful import Harm
from garage_nb.analyze.pathways.keeping import kept
from garage_nb.analyze.pathways.pathways import pathways
from garage_nb.analyze.pathways.removal import removal
from garage_nb.core.fingerprint import Fingerprint
from garage_nb.errors import InputError, UnknownPartError
from garage_nb.inject.mask import Mask
from garage_nb.inject.recipe import Recipe
from garage_nb.registry.lift import lift
from tests.families import tiny

from .ground import ITEMS, PARTS, small


@cache
def found(fill: str = "zero") -> FoundPathways:
    return pathways(small("llama"), ITEMS, Recipe(), fill=fill, sampled=6)


def test_the_sample_holds_estimates_beside_measurements() -> None:
    sample = found().sample
    assert sample is not None

    assert len(sample.neurons) == 6
    for place, (name, number) in enumerate(sample.neurons):
        assert torch.equal(sample.estimated[:, place], found().choosing[name].mean[:, number])
    assert -1 <= sample.rho <= 1
    assert len(sample.by_domain) == 2


def test_exact_effects_are_what_the_sample_measured() -> None:
    sample = found().sample
    assert sample is not None

    exact = pathways(small("llama"), ITEMS, Recipe(), "ffn_1", method="exact")

    assert exact.sample is None
    for place, (name, number) in enumerate(sample.neurons):
        if name == "ffn_1":
            assert torch.allclose(exact.choosing[name].mean[:, number], sample.measured[:, place], atol=1e-9)


def test_all_gone_is_what_their_mask_does() -> None:
    lifted = small("llama")
    _, testing = halves(lifted, exercises_of(ITEMS), Recipe(), 0)
    chosen = {name: torch.zeros(2, 64, dtype=torch.bool) for name in PARTS}
    chosen["ffn_0"][0, [1, 5, 9]] = True
    chosen["ffn_1"][0, [2]] = True

    done = removal(testing, chosen, {}, 0)

    masks = [Mask("ffn_0", drop=[1, 5, 9]), Mask("ffn_1", drop=[2])]
    expected = testing.scores(masks).log_probs - testing.scores().log_probs
    assert torch.equal(done.together[0], expected)
    assert float(done.random[0].abs().max()) > 0
    assert not torch.equal(done.random[0], expected)
    assert done.together[1].isnan().all()


def test_a_mask_keeps_the_largest_effects_of_its_domain() -> None:
    recipe = found().mask("count", keep=0.25)

    assert [edit.at for edit in recipe] == ["ffn_0.neurons", "ffn_1.neurons"]
    for edit, name in zip(recipe, PARTS, strict=True):
        assert isinstance(edit, Mask)
        largest = found().choosing[name].size[1].argsort(descending=True)[:16].tolist()
        assert edit.keep == tuple(sorted(largest))
        assert edit.fill is None
    assert [edit.fill is not None for edit in found("mean").mask(keep=0.5)] == [True, True]
    assert len(recipe.taps(small("llama").spec)) == 2


def test_without_takes_those_chosen_away() -> None:
    one = found()
    chosen = torch.zeros(2, 64, dtype=torch.bool)
    chosen[1, [4, 7]] = True
    none = torch.zeros_like(chosen)
    told: Any = {"ffn_0": Harm(none, none), "ffn_1": Harm(chosen, none)}
    planted = FoundPathways(**{**vars(one), "harm": told})

    assert planted.harmful("count") == {"ffn_1": (4, 7)}
    assert planted.without("count") == Recipe((Mask("ffn_1", drop=[4, 7]),))
    assert torch.isclose(planted.summed[1], one.testing["ffn_1"].mean[1, [4, 7]].sum())
    with pytest.raises(InputError, match=r"No neuron was found that harms turn"):
        planted.without("turn")


def test_frames_and_plots_say_the_same() -> None:
    one = found()

    assert one.frame().loc[("ffn_0", "turn"), "neurons"] == 64
    effects = one.effects().loc[("ffn_1", 5, "count")]
    assert effects["effect"] == float(one.choosing["ffn_1"].mean[1, 5])
    assert len(one.effects()) == 2 * 2 * 64
    assert len(one.removals()) == 4
    assert "rho" in repr(one)
    assert "5 items" not in repr(one)
    for measure in ("harmful", "confirmed", "together"):
        assert one.plot(measure).png().startswith(b"\x89PNG")
    with pytest.raises(InputError, match="no measure 'rate'"):
        one.plot("rate")


def test_the_same_seed_gives_the_same_answer_and_nothing_is_disturbed() -> None:
    lifted, drawn = small("llama"), torch.get_rng_state()
    before = Fingerprint.of(lifted.model)

    again = pathways(lifted, ITEMS, Recipe(), sampled=6)

    assert repr(again) == repr(found())
    assert not before.differences(Fingerprint.of(lifted.model))
    assert torch.equal(torch.get_rng_state(), drawn)


def test_bfloat16_runs() -> None:
    lifted = small("gpt2")
    half = lift(tiny("gpt2", layers=2).to(torch.bfloat16), tokenizer=lifted.tokenizer)

    one = pathways(half, ITEMS, Recipe(), "ffn_1", fill="mean", sampled=2)

    assert all(bool(effects.mean.isfinite().all()) for effects in one.choosing.values())


def test_what_cannot_be_asked_is_refused() -> None:
    lifted = small("llama")
    experts = lift(tiny("mixtral", layers=1), tokenizer=lifted.tokenizer)

    with pytest.raises(InputError, match=r"no neurons that can be read.*\n.*inside experts"):
        pathways(experts, ITEMS, Recipe())
    with pytest.raises(InputError, match="There is no 'ones' here"):
        pathways(lifted, ITEMS, Recipe(), fill="ones")
    with pytest.raises(InputError, match="There is no 'guess' here"):
        pathways(lifted, ITEMS, Recipe(), method="guess")
    with pytest.raises(UnknownPartError, match="ffn_9"):
        pathways(lifted, ITEMS, Recipe(), "ffn_9")
    with pytest.raises(InputError, match="There is no domain 'facts'"):
        found().mask("facts")
    with pytest.raises(InputError, match="0 is no share"):
        found().mask("turn", keep=0)


def test_the_highest_are_kept() -> None:
    scores: dict[str, Tensor] = {"ffn_0": torch.tensor([0.1, 3.0, 2.0, -1.0, 0.5])}

    assert kept(scores, 0.4) == {"ffn_0": (1, 2)}
    assert kept(scores, 0.01) == {"ffn_0": (1,)}
    assert kept(scores, 1) == {"ffn_0": (0, 1, 2, 3, 4)}
