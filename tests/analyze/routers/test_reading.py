"""Reading routers: against torch's own hooks at the experts, counted by loops, in every family that has any."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor
from torch.nn import functional as F

from garage_nb.analyze.routers.reading import routing
from garage_nb.analyze.routers.routing import Routing
from garage_nb.errors import EditError, InputError, UnknownPartError
from garage_nb.inject.recipe import Recipe
from garage_nb.inject.router import RouterBias
from garage_nb.inject.routing.isolate import Isolate
from garage_nb.registry.lift import lift
from garage_nb.registry.routes import routes
from garage_nb.view.saved import open_result
from tests.coverage.zoo import inputs
from tests.families import tiny
from tests.inject.test_router import ZOO, every_formula, moe, router_of
from tests.registry.probe.models import fresh
from tests.restored import left_as_it_was

DOMAINS = {"odd": [[3, 1, 5, 7, 9], [1, 1, 7], [9, 3, 3, 5]], "even": [[4, 8, 6, 4, 8, 6], [8, 4], [6, 6, 8]]}


def told(model: Any, path: str, ids: list[int]) -> tuple[np.ndarray, np.ndarray]:
    """Indices and weights that enter the experts, by a hook of the test's own."""
    seen: list[tuple[Any, ...]] = []
    handle = model.get_submodule(path).register_forward_pre_hook(lambda module, args: seen.append(args))
    with torch.no_grad():
        model(torch.tensor([ids]))
    handle.remove()
    return seen[0][1].numpy(), seen[0][2].double().numpy()


def counted(model: Any, ids: list[int], experts: int = 4) -> tuple[np.ndarray, np.ndarray, float]:
    """Choices and shares of weight by expert, and the first choice's share, each summed over tokens."""
    choices, weights, dominance = np.zeros(experts), np.zeros(experts), 0.0
    for chosen, given in zip(*told(model, path_of(model), ids), strict=True):
        for expert, weight in zip(chosen, given, strict=True):
            choices[expert] += 1 / len(chosen)
            weights[expert] += weight / given.sum()
        dominance += given.max() / given.sum()
    return choices, weights, dominance


def path_of(model: Any) -> str:
    return routes(lift(model).spec)[-1].at.path


@every_formula
def test_load_weight_and_dominance_are_counts_of_what_enters_the_experts(family: str) -> None:
    model = moe(family)

    with left_as_it_was(model):
        found = routing(lift(model), padded(), layers="gate_1", relabellings=20)

    router = found.routers["gate_1"]
    assert (router.experts, router.per_token) == (4, 2)
    for place, (domain, texts) in enumerate(DOMAINS.items()):
        choices, weights, _ = (sum(column) for column in zip(*(counted(model, ids) for ids in texts), strict=True))
        tokens = sum(map(len, texts))
        assert found.tokens[domain] == tokens
        np.testing.assert_allclose(router.loads[place].numpy(), choices / tokens, atol=1e-12)
        np.testing.assert_allclose(router.weights[place].numpy(), weights / tokens, atol=1e-5)
    every = [counted(model, ids) for texts in DOMAINS.values() for ids in texts]
    tokens = sum(found.tokens.values())
    np.testing.assert_allclose(router.load.mean.numpy(), sum(one[0] for one in every) / tokens, atol=1e-12)
    assert router.dominance == pytest.approx(sum(one[2] for one in every) / tokens, abs=1e-5)
    assert bool((router.load.low <= router.load.mean).all() and (router.load.mean <= router.load.high).all())
    assert found.favourite("odd") == {"gate_1": int(router.loads[0].argmax())}


def padded() -> dict[str, Any]:
    """On the left, where positions have to be counted from the first token."""
    found = {}
    for domain, texts in DOMAINS.items():
        longest = max(map(len, texts))
        found[domain] = {
            "input_ids": [[0] * (longest - len(text)) + text for text in texts],
            "attention_mask": [[0] * (longest - len(text)) + [1] * len(text) for text in texts],
        }
    return found


@every_formula
def test_entropy_is_that_of_the_softmax_of_the_routers_logits(family: str) -> None:
    model, total, tokens = moe(family), 0.0, 0
    gate: Any = router_of(model)
    seen: list[Tensor] = []
    handle = gate.register_forward_pre_hook(lambda module, args: seen.append(args[0].reshape(-1, 32)))
    with torch.no_grad():
        for texts in DOMAINS.values():
            for ids in texts:
                model(torch.tensor([ids]))
        handle.remove()
        for hidden in seen:
            shares = F.linear(hidden, gate.weight, getattr(gate, "bias", None)).double().softmax(-1)
            total -= float((shares * shares.log()).sum())
            tokens += len(hidden)

    found = routing(lift(model), padded(), layers="gate_1", relabellings=0)

    assert found.routers["gate_1"].entropy == pytest.approx(total / tokens, abs=1e-5)
    assert math.isnan(found.routers["gate_1"].information.floor)


def test_edits_in_force_are_read() -> None:
    model = moe("mixtral")
    lifted = lift(model)

    alone = routing(lifted, padded(), Recipe((Isolate("gate_1", 2),)).taps(lifted.spec), relabellings=0)
    pulled = routing(lifted, padded(), Recipe((RouterBias("gate_1", (0, 0, 0, 50)),)).taps(lifted.spec), relabellings=0)

    assert alone.routers["gate_1"].load.mean.tolist() == [0, 0, 1, 0]
    assert alone.routers["gate_1"].dominance == 1
    assert float(pulled.routers["gate_1"].load.mean[3]) == 0.5  # one of two choices of every token
    assert pulled.routers["gate_1"].entropy < 1e-6


def test_the_bias_of_a_domain_sends_more_of_its_tokens_where_it_went() -> None:
    lifted = lift(moe("mixtral"))
    found = routing(lifted, padded(), layers="gate_1", relabellings=0)
    bias = found.bias("gate_1", "odd")

    under = [
        routing(lifted, padded(), Recipe((RouterBias("gate_1", bias, strength=strength),)).taps(lifted.spec), "gate_1")
        for strength in (0.0, 5.0)
    ]

    choices = found.routers["gate_1"].choices.numpy() + 0.5
    shares = choices / choices.sum(1, keepdims=True)
    np.testing.assert_allclose(bias, np.log(shares[0] / shares[1]), atol=1e-12)
    torch.testing.assert_close(under[0].routers["gate_1"].loads, found.routers["gate_1"].loads, atol=0, rtol=0)
    likest = int(np.argmax(bias))
    assert under[1].routers["gate_1"].load.mean[likest] > found.routers["gate_1"].load.mean[likest]


@pytest.mark.parametrize("entry", ["causal-jamba", "causal-granitemoe", "causal-deepseek_v2", "causal-qwen2_moe"])
def test_what_the_zoo_is_told(entry: str) -> None:
    read_like_the_hook(entry)


@pytest.mark.slow
@pytest.mark.parametrize("entry", [one for one in ZOO if "llama4" not in one])
def test_what_all_of_the_zoo_is_told(entry: str) -> None:
    read_like_the_hook(entry)


def read_like_the_hook(entry: str) -> None:
    model = fresh(entry)
    lifted, ids = lift(model), inputs(model)["input_ids"][0].tolist()

    found = routing(lifted, [ids])

    for route in routes(lifted.spec):
        chosen, weights = told(model, route.at.path, ids)
        matrix = np.zeros((len(ids), route.experts + 1))
        np.put_along_axis(matrix, np.minimum(chosen, route.experts), weights, axis=1)
        matrix = matrix[:, : route.experts]
        router = found.routers[route.gate]
        load = (matrix != 0) / np.maximum((matrix != 0).sum(1, keepdims=True), 1)
        np.testing.assert_allclose(router.load.mean.numpy(), load.mean(0), atol=1e-12)
        np.testing.assert_allclose(
            router.weights[0].numpy(), (matrix / matrix.sum(1, keepdims=True)).mean(0), atol=1e-5
        )
        assert 0 <= router.entropy <= math.log(route.experts + 1)


@pytest.fixture(scope="module")
def read_once() -> Routing:
    return routing(lift(moe("mixtral")), padded(), relabellings=10)


def test_frames_say_it_all(read_once: Routing, tmp_path: Any) -> None:
    frame, measures = read_once.frame(), read_once.measures()

    assert frame.index.names == ["router", "domain", "expert"]
    assert len(frame) == 2 * 2 * 4
    np.testing.assert_allclose(frame["load"].groupby(level=[0, 1]).sum(), 1)
    assert list(measures.index) == ["gate_0", "gate_1"]
    assert measures.loc["gate_1", "information"] == read_once.routers["gate_1"].information.value
    assert open_result(read_once.save(tmp_path / "routing.csv")).frame().equals(frame)


def test_pictures(read_once: Routing) -> None:
    said = repr(read_once)

    assert "gate_0" in said
    assert "MI by chance" in said
    assert len(read_once.plot("gate_1").axes.images or read_once.plot("gate_1").axes.collections) == 1
    assert "2 routers" in repr(read_once.plot())


def test_one_domain_has_no_information() -> None:
    found = routing(lift(moe("mixtral")), [[3, 1, 4], [1, 5, 9]])

    assert found.routers["gate_0"].information.value == 0
    assert "MI" not in repr(found)
    with pytest.raises(InputError, match="One domain has nothing to be told apart from"):
        found.bias("gate_0", "texts")


def test_refusals(read_once: Routing) -> None:
    lifted = lift(moe("mixtral"))

    with pytest.raises(EditError, match=r"sends no tokens to experts.*\n.*showroom-moe"):
        routing(lift(tiny("llama")), padded())
    with pytest.raises(EditError, match="attention_1 sends no tokens to experts"):
        routing(lifted, padded(), layers="attention_1")
    with pytest.raises(InputError, match="-1 relabellings cannot be drawn"):
        routing(lifted, padded(), relabellings=-1)
    with pytest.raises(InputError, match="There is no domain 'law'"):
        read_once.bias("gate_0", "law")
    with pytest.raises(UnknownPartError, match="'gate_7' is no router that was read"):
        read_once.plot("gate_7")
