"""Calibrating routers: losses against passes of the test's own, with experts told what each arm says."""

from __future__ import annotations

import threading
from collections.abc import Callable
from itertools import combinations
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor
from torch.nn import functional as F

from garage_nb.analyze.routers.calibrated import Calibration
from garage_nb.analyze.routers.calibration import calibration
from garage_nb.core.cancel import Cancel, cancellable
from garage_nb.errors import CancelledError, EditError, InputError
from garage_nb.inject.edits import Scale
from garage_nb.inject.recipe import Recipe
from garage_nb.registry.lift import Lifted, lift
from garage_nb.showroom import corpus
from garage_nb.view.saved import open_result
from tests.restored import left_as_it_was

DOMAINS = ("facts", "sorting", "copy")
EXERCISES = [item.exercise for domain in DOMAINS for item in corpus.items(domain, "test", 4)]
PATH = "model.layers.1.mlp"
Told = Callable[[Tensor], tuple[Tensor, Tensor]]  # of logits: weights, indices


@pytest.fixture(scope="module")
def moe() -> Lifted:
    return lift("showroom-moe")


@pytest.fixture(scope="module")
def found(moe: Lifted) -> Calibration:
    with left_as_it_was(moe.model):
        return calibration(moe, EXERCISES, Recipe(), "gate_1", relabellings=100)


def loss(lifted: Lifted, parts: tuple[str, ...], choose: Told | None = None) -> float:
    """Mean −log p of the answers' tokens, one text alone, with the second router handing on what `choose` says."""
    ids, counts = [], []
    for place in range(len(parts)):
        whole = lifted.tokenizer("".join(parts[: place + 1]))["input_ids"]
        counts += [place % 2 == 1] * (len(whole) - len(ids))
        ids = whole
    gate: Any = lifted.model.get_submodule(f"{PATH}.gate")
    if choose is not None:
        gate.forward = lambda hidden: (lambda found: (found, *choose(found)))(F.linear(hidden, gate.weight))
    try:
        with torch.no_grad():
            logits = lifted.model(torch.tensor([ids])).logits[0].double()
    finally:
        vars(gate).pop("forward", None)
    each = F.cross_entropy(logits[:-1], torch.tensor(ids[1:]), reduction="none")
    return float(each[torch.tensor(counts[1:])].mean())


def only(*kept: int) -> Told:
    """Mixtral's formula over these alone."""

    def choose(found: Tensor) -> tuple[Tensor, Tensor]:
        top, at = found[:, list(kept)].softmax(-1).topk(min(2, len(kept)))
        return top / top.sum(-1, keepdim=True), torch.tensor(kept)[at]

    return choose


def equal(found: Tensor) -> tuple[Tensor, Tensor]:
    chosen = found.topk(2).indices
    return torch.full(chosen.shape, 0.5), chosen


def anti(found: Tensor) -> tuple[Tensor, Tensor]:
    ranked, at = found.sort(-1)
    top, chosen = torch.empty_like(found).scatter(1, at, ranked.flip(-1)).softmax(-1).topk(2)
    return top / top.sum(-1, keepdim=True), chosen


def test_losses_are_those_of_texts_alone_with_the_experts_told_so(moe: Lifted, found: Calibration) -> None:
    quality = found.routers["gate_1"].quality
    asked = [one.ways[0] for one in dict.fromkeys(EXERCISES)]
    sets = list(combinations(range(4), 2))
    near = {"rel": 1e-4, "abs": 1e-5}

    assert quality.sets == sets
    for at, parts in enumerate(asked[::3]):
        at *= 3
        assert found.natural[at].item() == pytest.approx(loss(moe, parts), **near)
        assert quality.alone[at].tolist() == pytest.approx([loss(moe, parts, only(one)) for one in range(4)], **near)
        assert quality.by_set[at].tolist() == pytest.approx([loss(moe, parts, only(*one)) for one in sets], **near)
        assert quality.others["uniform"][at].item() == pytest.approx(loss(moe, parts, equal), **near)
        assert quality.others["anti"][at].item() == pytest.approx(loss(moe, parts, anti), **near)


def test_probability_is_the_mean_of_the_softmax_over_the_text_without_padding(moe: Lifted, found: Calibration) -> None:
    gate: Any = moe.model.get_submodule(f"{PATH}.gate")
    asked = list(dict.fromkeys(EXERCISES))
    for at in (0, 5, len(asked) - 1):
        ids, seen = moe.tokenizer(asked[at].text)["input_ids"], list[Tensor]()
        handle = gate.register_forward_pre_hook(lambda module, args, seen=seen: seen.append(args[0]))
        with torch.no_grad():
            moe.model(torch.tensor([ids]))
            handle.remove()
            shares = F.linear(seen[0], gate.weight).double().softmax(-1).mean(0)

        np.testing.assert_allclose(found.routers["gate_1"].quality.probability[at].numpy(), shares.numpy(), atol=1e-5)


def test_arms_and_regret_come_of_the_losses(found: Calibration) -> None:
    quality = found.routers["gate_1"].quality
    frame = found.arms()
    mine = found.which == found.domains.index("sorting")

    best = quality.by_set.min(1).values
    assert list(frame.index.get_level_values("arm"))[:6] == [
        "router",
        "uniform",
        "random",
        "anti",
        "any set",
        "best set",
    ]
    assert frame.loc[("gate_1", "sorting", "best set"), "loss"] == pytest.approx(float(best[mine].mean()))
    assert frame.loc[("gate_1", "sorting", "router"), "rise"] == 0
    regret = found.regret("gate_1", "sorting")
    assert float(regret.mean[0]) == pytest.approx(float((found.natural - best)[mine].mean()))
    assert float(regret.low[0]) <= float(regret.mean[0]) <= float(regret.high[0])
    in_sets = torch.stack([quality.by_set[:, [e in one for one in quality.sets]].mean(1) for e in range(4)], 1)
    torch.testing.assert_close(quality.in_sets, in_sets)


def test_frames_and_pictures(found: Calibration, tmp_path: Any) -> None:
    frame, experts = found.frame(), found.experts()

    assert len(frame) == 1 * 3 * 2
    assert len(experts) == 1 * 3 * 4
    assert bool((frame["adjusted"].dropna() >= frame["p"].dropna() - 1e-12).all())
    assert bool((experts["better"] + experts["worse"] >= 1).all())
    assert "3 domains" in repr(found)
    for measure, said in (("alone", "quality alone"), ("sets", "quality in sets"), ("regret", "regret, nats")):
        assert said in found.plot(measure).alt
    assert open_result(found.save(tmp_path / "calibration.csv")).frame().equals(frame)


def test_the_recipe_in_force_acts_first_and_the_same_seed_gives_the_same(moe: Lifted, found: Calibration) -> None:
    twice = calibration(moe, EXERCISES, Recipe(), "gate_1", relabellings=100)
    changed = calibration(moe, EXERCISES[:5], Recipe((Scale("layer_0", 0.8),)), "gate_1", relabellings=10)

    assert twice.frame().equals(found.frame())
    assert not torch.allclose(changed.natural, found.natural[: len(changed.natural)])


def test_it_can_be_cancelled(moe: Lifted) -> None:
    cancel = Cancel()
    threading.Timer(0.05, cancel.ask).start()

    with left_as_it_was(moe.model), cancellable(cancel), pytest.raises(CancelledError):
        for_ever(moe)


def for_ever(moe: Lifted) -> None:
    while True:
        calibration(moe, EXERCISES, Recipe(), "gate_*", relabellings=10)


def test_refusals(moe: Lifted, found: Calibration) -> None:
    with pytest.raises(EditError, match="attention_1 sends no tokens to experts"):
        calibration(moe, EXERCISES, Recipe(), "attention_1")
    with pytest.raises(InputError, match="No items were given"):
        calibration(moe, [], Recipe())
    with pytest.raises(InputError, match="Nothing can be told by 0 sets"):
        calibration(moe, EXERCISES, Recipe(), most_sets=0)
    with pytest.raises(InputError, match="Nothing can be told by 0 relabellings"):
        calibration(moe, EXERCISES, Recipe(), relabellings=0)
    with pytest.raises(InputError, match="no measure 'speed' of routers"):
        found.plot("speed")
    with pytest.raises(InputError, match="no domain 'law'"):
        found.regret("gate_1", "law")
