"""Slim: what goes, by whose leave, and every number of the end worked out again."""

from __future__ import annotations

import json
import re
from functools import cache, partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from garage_nb.analyze.bootstrap import drawn_counts
from garage_nb.analyze.judging.paper import paper
from garage_nb.compose.layout.donors import opened
from garage_nb.compose.sheet_files import open_sheet
from garage_nb.core.batch import prepare
from garage_nb.core.cancel import Cancel, cancellable
from garage_nb.core.run import logits as run
from garage_nb.core.seed import seeded
from garage_nb.errors import BuildError, CancelledError, EditError, InputError
from garage_nb.inject.mask import Mask
from garage_nb.pipelines.slim.controls import at_random
from garage_nb.pipelines.slim.ground import Ground
from garage_nb.pipelines.slim.layers import layers_left
from garage_nb.pipelines.slim.neurons import neurons_left, ranking, staying, written
from garage_nb.pipelines.slim.slim import slim
from garage_nb.pipelines.slim.slimmed import Slimmed
from garage_nb.pipelines.slim.split import split
from garage_nb.pipelines.slim.unread import unread
from garage_nb.registry.lift import lift
from garage_nb.showroom import items
from tests.analyze.judging.models import showroom
from tests.analyze.judging.test_paper import TEXTS, losses_of, padded
from tests.compose.bench import logits, model, naive_stack
from tests.families import PROMPT, tiny
from tests.restored import left_as_it_was

IDS = {
    domain: padded(
        [torch.randint(64, (6 + row % 5,), generator=seeded(100 * place + row)).tolist() for row in range(24)]
    )
    for place, domain in enumerate(("a", "b"))
}
DOMAINS = ("facts", "sorting", "copy")
GIVEN = {domain: [item.text for item in items(domain, n=16)] for domain in DOMAINS}
ASKED = [item.exercise for domain in DOMAINS for item in items(domain, n=5, level="hard")]


@cache
def found() -> Slimmed:
    return slim(showroom(), GIVEN, ASKED, loss=0.5, seed=1)


def slim_tiny(family: str = "llama", layers: int = 4, **options: Any) -> Slimmed:
    return slim(lift(model(family, layers)), IDS, **{"loss": 0.4, **options})


def ground_of(lifted: Any, loss: float, texts: Any = None) -> Ground:
    """Random models: the same texts choose and decide."""
    asked = paper(lifted, padded(TEXTS) if texts is None else texts)
    return Ground(lifted=lifted, choosing=asked, validation=asked, loss=loss, seed=0)


def test_layers_go_one_after_the_other_as_a_loop_over_all_of_them_says() -> None:
    made = model("llama", 5)
    tokens = sum(len(text) - 1 for text in TEXTS)
    whole = sum(losses_of(made, TEXTS))

    left, steps = layers_left(ground_of(lift(made), loss=100.0))

    stay = list(range(5))
    for step in steps:
        tried = {layer: [other for other in stay if other != layer] for layer in stay}
        costs = {
            layer: (sum(losses_of(naive_stack(made, [(made, other) for other in rest]), TEXTS)) - whole) / tokens
            for layer, rest in tried.items()
        }
        cheapest = min(costs, key=costs.__getitem__)
        assert step.out == f"layer_{cheapest}"
        assert step.choosing == pytest.approx(costs[cheapest], abs=1e-5)
        assert step.allowed
        stay = tried[cheapest]
    assert left == stay
    assert len(left) == 1


def test_the_upper_end_of_the_interval_decides() -> None:
    made = model("llama", 4)
    ground = ground_of(lift(made), loss=100.0)
    _, steps = layers_left(ground)
    first = steps[0].validation
    assert first.low < first.value < first.high

    for loss, count in ((first.high, 1), ((first.value + first.high) / 2, 0)):
        left, tried = layers_left(ground_of(lift(made), loss=loss))
        assert (4 - len(left) >= 1) == bool(count)
        assert tried[0].allowed == bool(count)


def _seen(seen: dict[str, list[torch.Tensor]], name: str, module: Any, args: Any) -> None:
    seen.setdefault(name, []).append(args[0][0].double())


def test_what_a_neuron_writes_is_its_mean_activation_times_its_weights() -> None:
    for family, inside in (("llama", "model.layers.{}.mlp.down_proj"), ("gpt2", "transformer.h.{}.mlp.c_proj")):
        made = model(family)
        seen: dict[str, list[torch.Tensor]] = {}
        hooks = [
            made.get_submodule(inside.format(layer)).register_forward_pre_hook(partial(_seen, seen, f"ffn_{layer}"))
            for layer in range(3)
        ]
        for ids in TEXTS:
            run(made, prepare([ids], made))
        for hook in hooks:
            hook.remove()

        amounts = written(lift(made), paper(lift(made), padded(TEXTS)))

        for layer in range(3):
            weight = made.get_submodule(inside.format(layer)).weight.detach().double()
            norms = weight.norm(dim=0 if family == "llama" else 1)
            expected = torch.cat(seen[f"ffn_{layer}"]).abs().mean(0) * norms
            assert amounts[f"ffn_{layer}"].tolist() == pytest.approx(expected.tolist(), rel=1e-4)


@pytest.mark.parametrize("family", ["llama", "gpt2", "gemma2", "opt"])
def test_as_many_neurons_go_as_are_allowed(family: str) -> None:
    lifted = lift(model(family))
    ranked = ranking(lifted, paper(lifted, padded(TEXTS)))
    width = len(ranked["ffn_0"])
    half = staying(ranked, width // 2)
    taps = [Mask(name, keep=tuple(neurons)).tap(lifted.spec) for name, neurons in half.items()]
    ground = ground_of(lifted, loss=1.0)
    price = ground.decides(lifted.model, lambda: taps).high

    kept, steps = neurons_left(ground_of(lifted, loss=max(price, 1e-6)), lifted)

    counts = [int(step.out.split()[0]) for step in steps]
    assert counts == sorted(counts)
    allowed = [count for count, step in zip(counts, steps, strict=True) if step.allowed]
    assert {len(neurons) for neurons in kept.values()} == {width - max(allowed)}
    assert kept == staying(ranked, max(allowed))
    refused = [count for count, step in zip(counts, steps, strict=True) if not step.allowed]
    assert not refused or min(refused) == max(allowed) + 1


def test_random_removals_are_as_large_and_none_is_the_chosen_one() -> None:
    lifted = lift(model("llama", 4))
    kept = {f"ffn_{layer}": list(range(20)) for layer in range(3)}

    drawn = at_random(lifted, [0, 1, 3], kept, 0)
    again = at_random(lifted, [0, 1, 3], kept, 0)

    assert list(drawn) == ["random 1", "random 2", "random 3"]
    chosen = naive_stack(lifted.model, [(lifted.model, layer) for layer in (0, 1, 3)])
    sizes = {sum(weight.numel() for weight in one.model.parameters()) for one in drawn.values()}
    assert len(sizes) == 1
    for name, one in drawn.items():
        assert one.spec.num_layers == 3
        assert one.spec.parts["ffn_0"].intermediate_dim == 20
        assert not torch.equal(logits(one.model), logits(chosen))
        assert torch.equal(logits(one.model), logits(again[name].model))


def test_the_smaller_model_is_the_larger_one_without_what_went() -> None:
    slimmed, whole = found(), showroom()
    layers = [said for said in slimmed.out if said.startswith("layer_")]
    stay = [layer for layer in range(5) if f"layer_{layer}" not in layers]
    assert 0 < len(layers) < 5
    assert lift(slimmed.model).spec.num_layers == len(stay)
    neurons = [said for said in slimmed.out if "neurons" in said]
    went = int(neurons[0].split()[0]) if neurons else 0
    assert lift(slimmed.model).spec.parts["ffn_0"].intermediate_dim == 344 - went

    stacked = lift(naive_stack(whole.model, [(whole.model, layer) for layer in stay]), tokenizer=whole.tokenizer)
    ranked = ranking(stacked, paper(whole, split(whole, GIVEN, 1).choosing))
    taps = [Mask(name, keep=tuple(some)).tap(stacked.spec) for name, some in staying(ranked, went).items()]
    batch = prepare(PROMPT, stacked.model)

    torch.testing.assert_close(run(slimmed.model, batch), run(stacked.model, batch, taps), rtol=1e-4, atol=1e-4)


def test_the_test_texts_are_those_that_nothing_was_chosen_by() -> None:
    slimmed, whole = found(), showroom()
    asked = paper(whole, split(whole, GIVEN, 1).test)
    before, after = asked.marks(whole.model).losses.numpy(), asked.marks(slimmed.model).losses.numpy()
    tokens = asked.tokens.numpy()
    counts = drawn_counts(len(tokens), 4000, 1).numpy()
    draws = counts @ (after - before) / (counts @ tokens)

    one = slimmed.losses["all"]

    assert one.before == pytest.approx(before.sum() / tokens.sum(), rel=1e-5)
    assert one.after == pytest.approx(after.sum() / tokens.sum(), rel=1e-5)
    assert (one.change.low, one.change.high) == pytest.approx(np.quantile(draws, [0.025, 0.975]), abs=1e-5)
    assert slimmed.within == (one.change.high <= 0.5)
    assert list(slimmed.losses) == ["all", *DOMAINS]
    assert len(one.random) == 3
    read = split(whole, GIVEN, 1)
    assert slimmed.read == tuple(len(paper(whole, part).domains) for part in (read.choosing, read.validation))


def test_accuracy_parameters_and_time_are_measured_beside_the_model_as_it_was() -> None:
    slimmed, whole = found(), showroom()
    asked = paper(whole, None, ASKED)

    after = float(asked.marks(slimmed.model).right.mean())

    assert slimmed.accuracies["all"].after == pytest.approx(after)
    assert slimmed.accuracies["all"].before == pytest.approx(float(asked.marks(whole.model).right.mean()))
    mine, was, *others = slimmed.evaluation.costs
    assert mine.parameters == sum(weight.numel() for weight in {*slimmed.model.parameters()})
    assert was.parameters == sum(weight.numel() for weight in {*whole.model.parameters()})
    assert {one.parameters for one in others} == {mine.parameters}
    assert len({len(one.seconds) for one in (mine, was, *others)}) == 1


def test_a_folder_of_it_is_plain_and_gives_the_same(tmp_path: Path) -> None:
    from transformers import AutoModelForCausalLM

    slimmed = found().saved(tmp_path / "slim")

    again = AutoModelForCausalLM.from_pretrained(tmp_path / "slim", trust_remote_code=False)
    assert torch.equal(logits(again.eval()), logits(slimmed.model))
    assert [row.holds for row in slimmed.proofs.rows if row.claim == "reloaded = in memory"] == [True]
    said = json.loads((tmp_path / "slim" / "config.json").read_text())["garage_build"]["lines"]
    assert said[0].startswith("stack ")
    assert "keep" in said[1]
    with pytest.raises(BuildError, match="with less in it, and no build sheet says that"):
        open_sheet(tmp_path / "slim")
    again = found().save_pretrained(tmp_path / "slim")
    assert again == tmp_path / "slim"


SLOW = [pytest.param(family, marks=pytest.mark.slow) for family in ("gpt2", "opt", "gemma2")]


@pytest.mark.parametrize("family", ["llama", *SLOW])
def test_one_way_alone(family: str) -> None:
    layers, neurons = (slim_tiny(family, by=by) for by in ("layers", "neurons"))
    before = model(family, 4)

    assert lift(layers.model).spec.num_layers < 4
    assert all(said.startswith("layer_") for said in layers.out)
    width = lift(layers.model).spec.parts["ffn_0"].intermediate_dim
    assert lift(neurons.model).spec.num_layers == 4
    assert lift(neurons.model).spec.parts["ffn_0"].intermediate_dim < width
    assert len(neurons.out) == 1
    assert type(layers.model) is type(neurons.model) is type(before)
    assert not layers.accuracies


def test_of_two_layers_one_can_go_at_random() -> None:
    """Two models beside it would be an ensemble as well, which is no random removal."""
    slimmed = slim_tiny(layers=2, by="layers", loss=9.0)

    assert lift(slimmed.model).spec.num_layers == 1
    assert slimmed.random == ("random 1",)
    assert all(len(one.random) == 1 for one in slimmed.losses.values())
    found = slimmed.evaluation.texts
    assert found is not None
    sums = found.losses.sum(1) / found.tokens[0].sum()
    assert slimmed.losses["all"].random[0] == pytest.approx(float(sums[2] - sums[1]))


def test_of_one_layer_only_neurons_can_go() -> None:
    with pytest.raises(BuildError, match=r"has a single layer, which must stay\."):
        slim_tiny(layers=1, by="layers")

    both = slim_tiny(layers=1, loss=5.0)

    assert "neurons in every ffn" in both.out[0]
    assert "a single layer" in both.notes[0]


def test_experts_stay_and_layers_go() -> None:
    slimmed = slim_tiny("mixtral")

    assert all(said.startswith("layer_") for said in slimmed.out)
    assert "Its neurons are inside experts." in " ".join(slimmed.notes)
    assert "not done" in repr(slimmed)
    with pytest.raises(EditError, match="no neurons that can be taken out"):
        slim_tiny("mixtral", by="neurons")


def test_what_cannot_be_made_smaller_is_refused() -> None:
    """Layers that share what they are told by, and experts."""
    lifted = lift(tiny("mamba"))

    with pytest.raises(BuildError):
        slim(lifted, IDS, loss=0.4, by="neurons")


def test_nothing_for_that_price() -> None:
    with pytest.raises(BuildError, match=r"Nothing can be taken out of .* within 1e-06 nats per token: ") as caught:
        slim_tiny(loss=1e-6)

    assert re.search(r"costs [+-]0\.\d{3} \([+-]0\.\d{3} to \+", str(caught.value))
    assert "--loss" in caught.value.hint


@pytest.mark.parametrize("loss", [0, -0.1, float("nan"), float("inf")])
def test_a_price_is_a_number_above_0(loss: float) -> None:
    with pytest.raises(InputError, match="no price in nats per token"):
        slim(showroom(), GIVEN, loss=loss)


@pytest.mark.slow
def test_items_that_were_read_are_left_out() -> None:
    pairs = [(item.parts[0], item.text.removeprefix(item.parts[0])) for item in items("sorting", n=16)]

    slimmed = slim(showroom(), GIVEN, pairs, loss=0.5, by="layers", seed=1)

    test = paper(showroom(), split(showroom(), GIVEN, 1).test).read
    assert slimmed.evaluation.items is not None
    assert 0 < (asked := len(slimmed.evaluation.items.domains)) <= len(test)
    assert f"{len(pairs) - asked} of {len(pairs)} items not asked" in " ".join(repr(slimmed).split())


def test_items_that_a_text_tells_of_are_left_out_whatever_is_answered_there() -> None:
    told = paper(showroom(), ["3 + 4 = 7.", "The capital of France is Paris.", "法国的首都是巴黎"])
    ground = Ground(lifted=showroom(), choosing=told, validation=paper(showroom(), ["5 + 6 = 11."]), loss=1.0, seed=0)
    known = [("3  + 4 =", "8"), ("The capital of France is ", "Lyon"), ("5 + 6 =", "11."), ("5 +\n6", "= 12")]
    known.append(("法国的首都是", "里昂"))  # no space tells where a word ends

    left, notes = unread([*known, ("The capital of Spain is", "Madrid"), ("4 = 7", ".")], ground)

    assert [one.text for one in left] == ["The capital of Spain is Madrid", "4 = 7 ."]
    assert notes == ["5 of 7 items not asked: among the texts that something was chosen by."]
    with pytest.raises(InputError, match="Every item is among the texts"):
        unread(known, ground)


def test_items_stay_that_a_text_only_begins_like() -> None:
    """In the middle of a number or a word, or with words that are no answer to so little."""
    texts = ["3 + 45 = 48.", "The capital of France is Paris.", "sorting is slow"]
    told = paper(showroom(), texts)
    ground = Ground(lifted=showroom(), choosing=told, validation=told, loss=1.0, seed=0)
    other = [("3 + 4", "= 7"), ("The", "sea"), ("sort", "is"), ("The capital of France is Paris. Is", "it")]

    left, notes = unread([*other, ("3 + 45", "= 7")], ground)

    assert [one.given for one in left] == [prompt for prompt, _ in other]
    assert notes == ["1 of 5 items not asked: among the texts that something was chosen by."]
    assert unread(other, ground) == (left, [])


def test_the_model_stays_as_it_was_even_when_it_is_cancelled() -> None:
    lifted = lift(model("llama", 4))
    state, cancel = torch.get_rng_state(), Cancel()
    cancel.ask()

    with left_as_it_was(lifted.model), cancellable(cancel), pytest.raises(CancelledError):
        slim(lifted, IDS, loss=0.4)
    with left_as_it_was(lifted.model):
        slim(lifted, IDS, loss=0.4)

    assert torch.equal(torch.get_rng_state(), state)
    assert all(weight.requires_grad for weight in lifted.model.parameters())


def test_the_same_seed_takes_out_the_same() -> None:
    first, second = (slim_tiny(seed=2) for _ in range(2))

    assert first.out == second.out
    assert first.frame().equals(second.frame())
    assert first.tried().equals(second.tried())


def test_how_it_looks() -> None:
    slimmed = found()
    frame = slimmed.frame()

    assert list(frame.index.names) == ["measure", "domain"]
    assert frame.loc[("loss", "all"), "change"] == slimmed.losses["all"].change.value
    assert len(slimmed.tried()) == len(slimmed.steps)
    said = repr(slimmed)
    assert all(len(line) <= 100 for line in said.split("\n"))
    assert ", ".join(slimmed.out) in " ".join(said.split())
    assert ("not sure to be within" in said) == (not slimmed.within)


def test_a_domain_of_one_test_text_has_no_interval() -> None:
    rare = (padded([[1, 2, 3, 4, 5, last]]) for last in range(6, 30))
    lifted = lift(model("llama", 4))
    given = next(one for text in rare if "rare" in split(lifted, one := {**IDS, "rare": text}, 0).test)

    slimmed = slim(lifted, given, loss=0.6, by="layers")

    assert np.isnan(slimmed.losses["rare"].change.low)
    assert "nan" not in repr(slimmed)
    row = next(line for line in repr(slimmed).split("\n") if line.startswith("rare"))
    assert row.split()[4] == "–"


def test_opened_as_a_donor_it_is_a_model_like_any_other() -> None:
    assert opened("slim", lift(found().model)).spec.num_layers == lift(found().model).spec.num_layers
