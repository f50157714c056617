"""Perspectives that run on: against runs of their own by hand; what is kept of them; the gate; nothing left behind."""

from __future__ import annotations

import math
from dataclasses import replace
from itertools import combinations
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

from garage_nb.core.batch import prepare
from garage_nb.core.cancel import Cancel, cancellable
from garage_nb.core.fingerprint import AtRest
from garage_nb.core.run import logits
from garage_nb.errors import CancelledError, EditError, InputError, NotFiniteError, UnknownPartError
from garage_nb.inject.blades.fitting.training import Training
from garage_nb.inject.debating.debated import debated
from garage_nb.inject.debating.debating import NOISE, Debating
from garage_nb.inject.debating.fitting import fit_gate
from garage_nb.inject.debating.gate import Gate, untrained
from garage_nb.inject.debating.held import Held, held
from garage_nb.inject.debating.perspectives import Perspectives
from garage_nb.inject.views import DIVERGENCES
from garage_nb.registry.lift import lift
from tests.families import prompt, tiny
from tests.inject.blades.making import LEARNED, LESSONS, lifted
from tests.inject.debating import naive
from tests.restored import left_as_it_was

CLOSE: dict[str, Any] = {"rtol": 1e-4, "atol": 1e-4}
PADDED = {
    "left": {"input_ids": [[2, 2, 2, 7, 8, 9], [3, 1, 4, 1, 5, 9]], "attention_mask": [[0] * 3 + [1] * 3, [1] * 6]},
    "right": {"input_ids": [[7, 8, 9, 2, 2, 2], [3, 1, 4, 1, 5, 9]], "attention_mask": [[1] * 3 + [0] * 3, [1] * 6]},
}
QUICK = Training(steps=12, rate=0.01, batch=12)


def ran(family: str, debating: Debating, ids: Any = None, **options: int) -> Held:
    live = lifted(family)
    return held(live.model, live.spec, prepare(prompt() if ids is None else ids, live.model), debating, **options)


def mean(met: list[Tensor]) -> Tensor:
    return torch.stack(met).mean(dim=0)


def surest(met: list[Tensor]) -> Tensor:
    shares = [one.double() ** 2 / (one.double() ** 2).sum(-1, keepdim=True) for one in met]
    weights = torch.stack([(share * share.log()).sum(-1, keepdim=True) for share in shares]).softmax(0)
    return (weights * torch.stack(met)).sum(0).float()


def gated(gate: Gate) -> Any:
    def merge(met: list[Tensor]) -> Tensor:
        unit = [one.double() / one.double().square().mean(-1, keepdim=True).sqrt() for one in met]
        scores = torch.cat(unit, -1) @ gate.weight.double().T + gate.bias.double()
        weights = scores.exp() / scores.exp().sum(-1, keepdim=True)
        return sum(weights[..., number, None] * one for number, one in enumerate(met)).float()

    return merge


@pytest.mark.parametrize("family", LEARNED)
@pytest.mark.parametrize(
    ("kind", "seeds", "start", "blocks"),
    [("dropout", (0, 1), 0, 1), ("perturbation", (4, 2, 9), 0, None), ("projection", (0, 1), 1, 1)],
)
def test_a_debate_is_each_perspective_in_a_run_of_its_own(
    family: str, kind: str, seeds: tuple[int, ...], start: int, blocks: int | None
) -> None:
    live = lifted(family)
    far = 2 - start if blocks is None else blocks

    with left_as_it_was(live.model):
        found = ran(family, Debating(f"layer_{start}", blocks, kind, strength=0.3, seeds=seeds))

    ours, each, met = naive.debate(live, kind, 0.3, seeds, start, far, mean, input_ids=prompt())
    torch.testing.assert_close(found.reconciled, ours, **CLOSE)
    torch.testing.assert_close(found.perspectives, torch.stack(each), **CLOSE)
    cosines = torch.stack([torch.cosine_similarity(a, b, dim=-1) for a, b in combinations(met, 2)])
    torch.testing.assert_close(found.cosines.float(), cosines, **CLOSE)
    logs = [said.double().log_softmax(-1).numpy() for said in each]
    apart = [[(np.exp(a) * (a - b)).sum(-1) for b in logs] for a in logs]
    np.testing.assert_allclose(found.divergences, apart, rtol=1e-3, atol=1e-4)
    np.testing.assert_allclose(found.shares, np.full((len(seeds), 1, 10), 1 / len(seeds)), rtol=1e-6)
    bare = logits(live.model, prepare(prompt(), live.model))
    assert not torch.allclose(found.reconciled, bare, atol=1e-2)


@pytest.mark.parametrize("family", LEARNED)
def test_running_on_is_not_merging_in_place(family: str) -> None:
    live, seeds = lifted(family), (0, 1)

    on, place = (ran(family, Debating("layer_0", blocks, strength=0.3)).reconciled for blocks in (2, 0))

    noise, _, _ = naive.debate(live, "dropout", 0.3, seeds, 0, 0, mean, input_ids=prompt())
    torch.testing.assert_close(place, noise, **CLOSE)
    assert not torch.allclose(on, place, atol=1e-2)


@pytest.mark.parametrize("reconciliation", ["confidence", "gated", "untrained"])
def test_shares_are_their_formulas(reconciliation: str) -> None:
    live, seeds = lifted("llama"), (3, 5, 7)
    gate = Gate(*(torch.randn(*size, generator=torch.Generator().manual_seed(1)) for size in ((3, 96), (3,))))
    gate = untrained(3, 32, 3) if reconciliation == "untrained" else gate
    merge = surest if reconciliation == "confidence" else gated(gate)
    how = Debating("layer_0", 1, strength=0.4, seeds=seeds)
    how = replace(how, reconciliation="confidence" if reconciliation == "confidence" else "gated")
    how = replace(how, gate=gate) if reconciliation == "gated" else how

    found = ran("llama", how)

    ours, _, _ = naive.debate(live, "dropout", 0.4, seeds, 0, 1, merge, input_ids=prompt())
    torch.testing.assert_close(found.reconciled, ours, **CLOSE)
    np.testing.assert_allclose(found.shares.sum(0), np.ones((1, 10)), rtol=1e-5)
    assert float(found.shares.std(dim=0).max()) > 1e-3


@pytest.mark.parametrize("family", LEARNED)
@pytest.mark.parametrize("side", PADDED)
def test_padding_and_neighbours_move_nothing(family: str, side: str) -> None:
    live, given = lifted(family), PADDED[side]
    how = Debating("layer_0", 1, "perturbation", strength=0.5)
    real = torch.tensor(given["attention_mask"]).bool()

    found = ran(family, how, given)

    batch = prepare(given, live.model)
    ours, each, _ = naive.debate(live, "perturbation", 0.5, (0, 1), 0, 1, mean, **batch.inputs())
    torch.testing.assert_close(found.reconciled[real], ours[real], **CLOSE)
    torch.testing.assert_close(found.perspectives[:, real], torch.stack(each)[:, real], **CLOSE)
    for row, ids in enumerate(([7, 8, 9], [3, 1, 4, 1, 5, 9])):
        alone = ran(family, how, [ids])
        torch.testing.assert_close(found.reconciled[row, real[row]], alone.reconciled[0], **CLOSE)
        torch.testing.assert_close(found.cosines[:, row, real[row]], alone.cosines[:, 0], **CLOSE)


def test_what_comes_later_moves_nothing() -> None:
    """At a width of 20, where torch draws the end of a large tensor anew."""
    live, how = lift(tiny("gpt2", n_embd=20)), Debating("layer_0", 1, "perturbation", strength=0.5)

    short, long = (held(live.model, live.spec, prepare(ids, live.model), how) for ids in ([[3, 1, 4]], [[3, 1, 4, 1]]))

    torch.testing.assert_close(short.reconciled, long.reconciled[:, :3], **CLOSE)


@pytest.mark.parametrize("family", LEARNED)
@pytest.mark.parametrize("kind", DIVERGENCES)
def test_without_divergence_the_debate_is_the_untouched_model(family: str, kind: str) -> None:
    """The batch is n + 1 times as large, so that kernels may add in another order: within 1e-5 of the largest logit."""
    live, seeds = lifted(family), (0, 1, 2)
    bare = logits(live.model, prepare(prompt(), live.model))
    for blocks in (0, 1, None):
        for how in ("average", "confidence", "gated"):
            found = ran(family, Debating("layer_0", blocks, kind, how, 0.0, seeds))

            for one in (found.reconciled, *found.perspectives):
                torch.testing.assert_close(one, bare, rtol=0, atol=1e-5 * float(bare.abs().max()))
            np.testing.assert_allclose(found.cosines, 1.0, atol=1e-9)


def test_perspectives_that_are_one_are_reconciled_to_the_bit() -> None:
    """Whatever the shares: 1/3 of each of three would not be."""
    same = torch.randn(1, 10, 32, generator=torch.Generator().manual_seed(5)).repeat(4, 1, 1)
    for how in ("average", "confidence", "gated"):
        open_ = Perspectives(Debating("layer_0", 0, reconciliation=how, strength=0.0, seeds=(0, 1, 2)))

        parting, meeting = open_.taps(lifted("llama").spec)

        assert torch.equal(meeting.fn(parting.fn(same, None), None), same)


def test_the_last_positions_alone_are_the_same() -> None:
    how = Debating("layer_0", 1, strength=0.3)

    whole, end = ran("gpt2", how), ran("gpt2", how, last=2)

    torch.testing.assert_close(end.reconciled, whole.reconciled[:, -2:], **CLOSE)
    torch.testing.assert_close(end.divergences, whole.divergences[..., -2:], **CLOSE)
    assert torch.equal(end.cosines, whole.cosines[..., -2:])
    assert end.shares.shape == (2, 1, 2)


@pytest.mark.parametrize("family", LEARNED)
def test_every_step_is_a_debate_over_all_that_was_written(family: str) -> None:
    live, how = replace(lifted(family), tokenizer=None), Debating("layer_0", 1, strength=0.3)

    with left_as_it_was(live.model):
        found = debated(live, prompt(), how, steps=3)

    ids = prompt()
    for step in found.steps:
        ours, each, met = naive.debate(live, "dropout", 0.3, (0, 1), 0, 1, mean, input_ids=ids)
        assert step.id == int(ours[0, -1].argmax())
        assert step.ids == tuple(int(said[0, -1].argmax()) for said in each)
        assert step.agreed == (set(step.ids) == {step.id})
        assert step.cosines[0] == pytest.approx(float(torch.cosine_similarity(*met, dim=-1)[0, -1]), abs=1e-4)
        assert step.shares == (0.5, 0.5)
        assert step.apart[0][0] == 0 < step.apart[0][1]
        ids = torch.cat([ids, torch.tensor([[step.id]])], dim=1)
    assert len(found.steps) == 3
    assert "no gate · agreed in " in str(found)


class Spelled:
    """A tokenizer as far as it is asked to spell."""

    def decode(self, ids: list[int]) -> str:
        return f"w{ids[0]}"


def test_what_is_said_is_spelled_out_and_said_again_by_the_same_seeds() -> None:
    live, how = replace(lifted("llama"), tokenizer=Spelled()), Debating("layer_0", 1, "perturbation", strength=0.9)

    once, again, other = (debated(live, prompt(), replace(how, seeds=seeds)) for seeds in ((0, 1), (0, 1), (2, 1)))

    assert once.steps == again.steps
    assert once.steps[0].apart != other.steps[0].apart
    assert once.steps[0].word == f"w{once.steps[0].id}"
    assert once.steps[0].words == tuple(f"w{one}" for one in once.steps[0].ids)


def test_half_precision_runs_in_its_own() -> None:
    live = lift(tiny("llama").bfloat16())
    batch = prepare(prompt(), live.model)

    still, moved = (held(live.model, live.spec, batch, Debating("layer_0", 1, strength=by)) for by in (0.0, 0.3))

    bare = logits(live.model, batch)
    torch.testing.assert_close(still.reconciled, bare, rtol=0, atol=0.02 * float(bare.abs().max()))
    assert moved.reconciled.dtype is torch.bfloat16
    assert not torch.equal(moved.reconciled, bare)


def test_a_decoder_debates_what_it_has_written() -> None:
    from transformers import T5Config, T5ForConditionalGeneration

    sizes = {"vocab_size": 64, "d_model": 32, "d_kv": 8, "d_ff": 64, "num_heads": 4, "num_layers": 2}
    with torch.random.fork_rng():
        torch.manual_seed(0)
        model = T5ForConditionalGeneration(T5Config(**sizes, num_decoder_layers=3, decoder_start_token_id=2)).eval()
    live, how = lift(model), Debating("layer_0", 1, strength=0.5)
    written = torch.tensor([[2, 7, 9, 4]])
    given = {"input_ids": prompt(), "decoder_input_ids": written}

    found = held(model, live.spec, prepare(given, model), how)

    each = torch.ones_like(written)
    met = [naive.run(live, {0: naive.view("dropout", 0.5, seed, each)}, 1, **given)[1] for seed in (0, 1)]
    ours, _ = naive.run(live, {1: lambda hidden: mean(met)}, 1, **given)
    torch.testing.assert_close(found.reconciled, ours, rtol=1e-4, atol=1e-4 * float(ours.abs().max()))
    assert not torch.allclose(found.perspectives[0], found.perspectives[1], rtol=1e-3)
    assert len(debated(live, prompt(), how, steps=3).steps) == 3
    assert Debating("encoder_layer_0").span(live.spec).end.name == "encoder_layer_1"
    padded = {**given, "attention_mask": [[1] * 7 + [0] * 3]}
    read = held(model, live.spec, prepare(padded, model), Debating("encoder_layer_0", strength=0.5))
    assert read.frame()["cosine"].iloc[0] == pytest.approx(float(read.cosines[0, 0, :7].mean()))


def test_it_says_untrained_until_it_is_fitted_and_noise_where_nothing_runs() -> None:
    live = lifted("llama")
    how = Debating("layer_1", 1, reconciliation="gated")

    assert str(how) == "debating layer_1 for 1 dropout gated 0.1 0,1 (untrained)"
    assert str(replace(how, gate=untrained(2, 32, 0))).endswith("(untrained)")
    assert str(replace(how, blocks=0)).endswith(f"(untrained; {NOISE})")
    last = debated(replace(live, tokenizer=None), prompt(), Debating("layer_-1"))
    assert (last.blocks, last.status) == (0, f"no gate; {NOISE}")
    assert str(Debating("layer_1", 1, reconciliation="confidence")).endswith("(no gate)")
    fitted = fit_gate(live, how, LESSONS, replace(QUICK, steps=1))
    assert str(fitted).endswith(f"(gate fitted on {len(LESSONS.prompts)} texts)")
    assert str(replace(fitted, seeds=(1, 2))).endswith("(gate of another debate)")


def test_to_the_end_is_as_many_blocks_as_there_are() -> None:
    live = replace(lifted("llama"), tokenizer=None)
    whole, counted = (Debating(*far, reconciliation="gated") for far in (("layer_-3",), ("layer_0", 2)))

    fitted = fit_gate(lifted("llama"), whole, LESSONS, replace(QUICK, steps=1))

    assert whole.within(live.spec) == counted
    assert debated(live, prompt(), whole) == debated(live, prompt(), counted)
    assert replace(counted, gate=fitted.gate).is_own_gate
    assert debated(live, prompt(), replace(whole, gate=fitted.gate)).status.startswith("gate fitted on")
    assert ran("llama", whole).debating == counted


@pytest.mark.parametrize("family", LEARNED)
def test_a_fitted_gate_predicts_its_lessons_better_than_the_average(family: str) -> None:
    live, how = lifted(family), Debating("layer_0", 1, "projection", "gated", 0.8)
    rng = torch.get_rng_state()
    before = AtRest.of(live.model)

    with left_as_it_was(live.model):
        fitted, again, other = (fit_gate(live, how, LESSONS, replace(QUICK, seed=seed)) for seed in (0, 0, 1))

    assert not before.differences(AtRest.of(live.model))
    assert all(weight.grad is None for weight in live.model.parameters())
    assert torch.equal(torch.get_rng_state(), rng)
    assert fitted.gate is not None
    assert torch.equal(fitted.gate.weight, again.gate.weight)  # type: ignore[union-attr]
    assert not torch.equal(fitted.gate.weight, other.gate.weight)  # type: ignore[union-attr]
    assert not fitted.gate.weight.requires_grad
    assert (fitted.gate.fit.n, fitted.gate.fit.steps) == (3, 12)  # type: ignore[union-attr]
    assert loss(family, fitted) < loss(family, replace(how, reconciliation="average"))


def loss(family: str, how: Debating) -> float:
    """Of the answers' tokens, text by text."""
    total = []
    for start, answer in zip(LESSONS.prompts, LESSONS.answers, strict=True):
        ids = [int(word[1:]) for word in (start + answer).split()]
        said = ran(family, how, [ids]).reconciled[0].double().log_softmax(-1)
        total += [-float(said[at - 1, ids[at]]) for at in range(len(start.split()), len(ids))]
    return sum(total) / len(total)


def test_the_slope_of_a_gate_is_the_differences_quotient() -> None:
    """One step of Adam moves every number by the rate against its slope's sign."""
    live, how = lifted("llama"), Debating("layer_0", 1, "projection", "gated", 0.8)
    lessons = replace(LESSONS, prompts=LESSONS.prompts[:1], answers=LESSONS.answers[:1])
    fitted = fit_gate(live, how, lessons, Training(steps=1, rate=1e-3, batch=1)).gate
    zeros = Gate(torch.zeros(2, 64), torch.zeros(2))

    def at(number: int, by: float) -> float:
        weight = torch.zeros(2, 64)
        weight.view(-1)[number] = by
        said = ran("llama", replace(how, gate=Gate(weight, zeros.bias)), [[3, 4, 5, 6]]).reconciled[0, 2]
        return -float(said.double().log_softmax(-1)[6])

    assert fitted is not None
    assert at(0, 0.0) == pytest.approx(fitted.fit.loss, rel=1e-4)  # type: ignore[union-attr]
    slopes = {number: (at(number, 0.1) - at(number, -0.1)) / 0.2 for number in range(0, 128, 8)}
    clear = {number: slope for number, slope in slopes.items() if abs(slope) > 1e-3}
    moved = fitted.weight.flatten()
    assert len(clear) > 8
    for number, slope in clear.items():
        assert float(moved[number]) == pytest.approx(-math.copysign(1e-3, slope), rel=1e-3)


def test_what_goes_wrong_leaves_the_model_as_it_was() -> None:
    live, how = lifted("llama"), Debating("layer_0", 1, reconciliation="gated")
    before, cancel = AtRest.of(live.model), Cancel()
    cancel.ask()
    broken = replace(live, model=tiny("llama"))
    broken.model.lm_head.weight.data[5] = math.inf

    with pytest.raises(CancelledError), cancellable(cancel):
        fit_gate(live, how, LESSONS)
    with pytest.raises(CancelledError), cancellable(cancel):
        ran("llama", how)
    with pytest.raises(NotFiniteError, match="while the gate was fitted"):
        fit_gate(broken, how, LESSONS)
    with pytest.raises(NotFiniteError, match="leads to NaN"):
        held(broken.model, live.spec, prepare(prompt(), broken.model), how)
    with pytest.raises(EditError, match="no gate to fit"):
        fit_gate(live, Debating("layer_0", 1), LESSONS)
    with pytest.raises(InputError, match="One prompt"):
        debated(live, PADDED["left"], how)
    with pytest.raises(InputError, match="steps cannot"):
        debated(live, prompt(), how, steps=0)

    assert not before.differences(AtRest.of(live.model))
    assert torch.is_grad_enabled()


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"at": "layer_1", "blocks": 2}, "After layer_1 there are 1 blocks, not 2"),
        ({"at": "attention_1"}, "No whole block leaves attention_1"),
        ({"at": "layer_0", "blocks": -1}, "is no number of blocks"),
        ({"at": "layer_0", "blocks": True}, "is no number of blocks"),
        ({"at": "layer_0", "seeds": (3,)}, "are no debate"),
        ({"at": "layer_0", "seeds": (3, 3)}, "are no debate"),
        ({"at": "layer_0", "divergence": "shouting"}, "There are: dropout"),
        ({"at": "layer_0", "reconciliation": "vote"}, "There are: average"),
        ({"at": "layer_0", "strength": math.nan}, "out of range"),
        ({"at": "layer_0", "gate": untrained(2, 32, 0)}, 'Use reconciliation "gated"'),
        ({"at": "layer_0", "reconciliation": "gated", "gate": untrained(3, 32, 0)}, "Give as many seeds"),
        ({"at": "layer_0", "reconciliation": "gated", "gate": untrained(2, 16, 0)}, "Fit one on this model"),
    ],
)
def test_what_cannot_be_debated_is_said_in_words(options: dict[str, Any], message: str) -> None:
    with pytest.raises(EditError, match=message) as caught:
        Debating(**options).span(lifted("llama").spec)

    assert str(caught.value).count("\n") == 1


def test_a_gate_of_odd_shapes_and_a_layer_that_is_not_there_are_refused() -> None:
    for weight, bias in (((2, 7), (2,)), ((2, 8), (3,)), ((8,), (2,)), ((1, 8), (1,)), ((2, 8), ())):
        with pytest.raises(EditError, match="weighs no perspectives"):
            Gate(torch.zeros(weight), torch.zeros(bias))
    with pytest.raises(EditError, match="NaN or infinity"):
        Gate(torch.full((2, 8), math.nan), torch.zeros(2))
    with pytest.raises(UnknownPartError, match="layer_7"):
        Debating("layer_7").span(lifted("llama").spec)
