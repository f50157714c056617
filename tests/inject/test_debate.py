"""Each formula against NumPy on the same draws; the debate on every family; nothing left behind."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from torch import nn

from garage_nb.core.hooks import HookManager
from garage_nb.core.sites import Site
from garage_nb.errors import EditError, UnknownPartError
from garage_nb.inject.debate import Debate, SelfDebate
from garage_nb.inject.layer import LayerInjector
from garage_nb.inject.place import Place
from garage_nb.inject.views import DIVERGENCES, RECONCILIATIONS, untrained_gate
from garage_nb.registry.models import spec_of
from tests.families import FAMILIES, prompt, tiny

HIDDEN = torch.randn(2, 5, 8, generator=torch.Generator().manual_seed(7)) * 3 + 1
ROWS = HIDDEN.reshape(-1, 8).double().numpy()
STRENGTH, SEED = 0.3, 11
HERE = Place("layer_0", Site("anywhere"))
every_kind = pytest.mark.parametrize(
    ("divergence", "reconciliation"), [(d, r) for d in DIVERGENCES for r in RECONCILIATIONS]
)


def drawn_dropout(generator: torch.Generator) -> list[np.ndarray]:
    keep = [torch.rand(10, 8, generator=generator).numpy() >= STRENGTH for _ in range(2)]
    return [np.where(kept, ROWS / (1 - STRENGTH), 0) for kept in keep]


def drawn_perturbation(generator: torch.Generator) -> list[np.ndarray]:
    noise = [torch.randn(10, 8, generator=generator).double().numpy() for _ in range(2)]
    return [ROWS + STRENGTH * ROWS.std(axis=1, keepdims=True) * drawn for drawn in noise]


def drawn_projection(generator: torch.Generator) -> list[np.ndarray]:
    """P by normal equations, another road than the QR of the code."""
    spans = [torch.randn(8, 4, generator=generator).double().numpy() for _ in range(2)]
    onto = [span @ np.linalg.inv(span.T @ span) @ span.T for span in spans]
    return [(1 - STRENGTH) * ROWS + STRENGTH * 2 * ROWS @ projection for projection in onto]


def share_of_average(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    return np.full((10, 1), 0.5)


def share_of_confidence(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    surety = np.exp([-entropy(a), -entropy(b)])
    return (surety[0] / surety.sum(axis=0))[:, None]


def share_of_gated(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    weight = untrained_gate(8, SEED).weight.double().numpy()
    return 1 / (1 + np.exp(-np.concatenate([a, b], axis=1) @ weight.T))


def entropy(rows: np.ndarray) -> np.ndarray:
    share = rows**2 / (rows**2).sum(axis=1, keepdims=True)
    return -np.where(share > 0, share * np.log(np.where(share > 0, share, 1)), 0).sum(axis=1)


VIEWS = {"dropout": drawn_dropout, "perturbation": drawn_perturbation, "projection": drawn_projection}
SHARES = {"average": share_of_average, "confidence": share_of_confidence, "gated": share_of_gated}


@every_kind
def test_a_debate_is_the_formula_in_its_docstring(divergence: str, reconciliation: str) -> None:
    a, b = VIEWS[divergence](torch.Generator().manual_seed(SEED))
    share = SHARES[reconciliation](a, b)

    out = Debate("layer_0", divergence, reconciliation, STRENGTH, SEED).writer(HERE)(HIDDEN)

    expected = share * a + (1 - share) * b
    np.testing.assert_allclose(out.reshape(-1, 8).numpy(), expected, rtol=1e-4, atol=1e-5)
    assert not torch.allclose(out, HIDDEN, atol=1e-2)


@pytest.mark.parametrize("divergence", DIVERGENCES)
def test_a_view_is_the_hidden_states_on_average(divergence: str) -> None:
    generator = torch.Generator().manual_seed(0)
    rows = HIDDEN.reshape(-1, 8)

    mean = torch.stack([DIVERGENCES[divergence](STRENGTH, generator)(rows) for _ in range(4000)]).mean(dim=0)

    torch.testing.assert_close(mean, rows, rtol=0, atol=0.25)


def test_confidence_leans_to_the_view_with_its_energy_in_fewer_dimensions() -> None:
    narrow, wide = torch.tensor([[4.0, 0, 0, 0]]), torch.ones(1, 4)

    share = RECONCILIATIONS["confidence"](None, 0)(narrow, wide)

    assert share.item() == pytest.approx(4 / 5)  # softmax of 0 and -ln 4


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16, torch.float16, torch.float64])
@every_kind
def test_strength_nought_is_no_debate(divergence: str, reconciliation: str, dtype: torch.dtype) -> None:
    hidden = HIDDEN.to(dtype)

    out = Debate("layer_0", divergence, reconciliation, 0.0).writer(HERE)(hidden)

    assert out.dtype is dtype
    assert torch.equal(out, hidden)


def test_large_half_precision_numbers_do_not_overflow() -> None:
    hidden = torch.full((1, 2, 8), 60000.0, dtype=torch.float16)

    out = Debate("layer_0", "projection", "confidence", 1e-3).writer(HERE)(hidden)

    assert out.isfinite().all()


@pytest.mark.parametrize("family", FAMILIES)
@pytest.mark.parametrize("layer", [1, -1])
def test_a_debate_happens_at_its_layer_and_leaves_nothing_behind(family: str, layer: int) -> None:
    model = tiny(family)
    path = spec_of(model).part(f"layer_{layer}").module_path
    rng = torch.get_rng_state()
    with torch.no_grad():
        before = model(prompt()).logits
        with HookManager(model) as hooks:
            hooks.register_capture_hook(path, "clean")
            model(prompt())
        expected = Debate("layer_0", "dropout", "average", 0.1, 5).writer(HERE)(hooks.get_captured("clean")["output"])
        with SelfDebate(model, layer_idx=layer, seed=5), HookManager(model) as hooks:
            hooks.register_capture_hook(path, "debated")
            debated = model(prompt()).logits
        after = model(prompt()).logits

    assert torch.equal(hooks.get_captured("debated")["output"], expected)
    assert not torch.equal(debated, before)
    assert torch.equal(after, before)
    assert torch.equal(torch.get_rng_state(), rng)
    assert sum(len(module._forward_hooks) + len(module._forward_pre_hooks) for module in model.modules()) == 0


@every_kind
def test_the_same_seed_gives_the_same_debate(divergence: str, reconciliation: str) -> None:
    model = tiny("llama")
    options: dict[str, Any] = {"divergence_method": divergence, "reconciliation_method": reconciliation}
    rng = torch.get_rng_state()

    runs = []
    for seed in (3, 3, 4):
        with torch.no_grad(), SelfDebate(model, layer_idx=1, seed=seed, **options):
            runs.append(torch.cat([model(prompt()).logits, model(prompt()).logits]))

    assert torch.equal(runs[0], runs[1])
    assert not torch.equal(runs[0], runs[2])
    assert torch.equal(torch.get_rng_state(), rng)


def test_one_debate_opened_twice_starts_anew() -> None:
    model = tiny("gpt2")
    debate = SelfDebate(model, layer_idx=0)

    with torch.no_grad():
        with debate:
            first = model(prompt()).logits
        with debate:
            second = model(prompt()).logits

    assert torch.equal(first, second)


@pytest.mark.parametrize("reconciliation", RECONCILIATIONS)
def test_strength_nought_gives_the_bare_logits(reconciliation: str) -> None:
    model = tiny("gemma2")
    with torch.no_grad():
        bare = model(prompt()).logits
        with SelfDebate(model, layer_idx=1, reconciliation_method=reconciliation, divergence_strength=0.0) as debate:
            debated = model(prompt()).logits

    assert torch.equal(debated, bare)
    assert debate.get_debate_info()["cosine"] == pytest.approx(1.0)


def test_it_generates() -> None:
    model = tiny("llama")

    with SelfDebate(model, layer_idx=-1, reconciliation_method="gated", divergence_strength=0.5) as debate:
        ids = model.generate(prompt(), max_new_tokens=4, min_new_tokens=4, do_sample=False)

    assert ids.shape == (1, 14)
    assert debate.get_debate_info()["cosine"] < 0.999


def test_the_info_says_how_it_is_set_and_how_far_the_views_are_apart() -> None:
    model = tiny("gpt2")
    with torch.no_grad(), HookManager(model) as hooks:
        hooks.register_capture_hook("transformer.h.2", "clean")
        model(prompt())
    rows = hooks.get_captured("clean")["output"][0].double().numpy()
    generator = torch.Generator().manual_seed(0)
    a, b = (np.where(torch.rand(10, 32, generator=generator).numpy() >= 0.25, rows / 0.75, 0) for _ in range(2))
    cosine = (a * b).sum(1) / np.linalg.norm(a, axis=1) / np.linalg.norm(b, axis=1)

    with torch.no_grad(), SelfDebate(model, layer_idx=-1, divergence_strength=0.25) as debate:
        before = dict(debate.get_debate_info())
        model(prompt())
        info = debate.get_debate_info()

    assert before["cosine"] is None
    assert info["cosine"] == pytest.approx(cosine.mean(), abs=1e-5)
    settings = {"layer": "layer_2", "divergence": "dropout", "reconciliation": "average", "strength": 0.25, "seed": 0}
    assert {**settings, "trained": False, "status": "untrained", "cosine": info["cosine"]} == info


@pytest.mark.parametrize("reconciliation", RECONCILIATIONS)
def test_every_report_says_untrained(reconciliation: str) -> None:
    debate = SelfDebate(tiny("gpt2"), layer_idx=0, reconciliation_method=reconciliation)

    assert "untrained" in repr(debate)
    assert "untrained" in str(debate.debate)
    assert debate.get_debate_info()["status"] == "untrained"


@pytest.mark.parametrize("width", [1, 8])
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_a_fitted_gate_decides(width: int, dtype: torch.dtype) -> None:
    gate = nn.Linear(16, width).to(dtype)
    nn.init.zeros_(gate.weight)
    nn.init.constant_(gate.bias, 100.0)  # always the first view
    debate = Debate("layer_0", "dropout", "gated", STRENGTH, SEED, gate)
    first = drawn_dropout(torch.Generator().manual_seed(SEED))[0]

    out = debate.writer(HERE)(HIDDEN)

    np.testing.assert_allclose(out.reshape(-1, 8).detach().numpy(), first, rtol=1e-5, atol=1e-5)
    assert str(debate) == "debate layer_0 dropout gated 0.3 11 (fitted gate)"


def test_a_gate_can_be_fitted_through_the_model() -> None:
    model, gate = tiny("llama").requires_grad_(False), nn.Linear(64, 1)

    with SelfDebate(model, layer_idx=1, reconciliation_method="gated", gate=gate) as debate:
        model(prompt()).logits.square().mean().backward()

    assert gate.weight.grad is not None
    assert gate.weight.grad.abs().sum() > 0
    assert debate.get_debate_info()["trained"] is True


def test_a_debate_is_an_edit_among_others() -> None:
    model = tiny("llama")
    with torch.no_grad():
        with SelfDebate(model, layer_idx=1, divergence_method="projection", seed=2):
            expected = model(prompt()).logits
        with LayerInjector(model) as injector:
            name = injector.add(Debate("layer_1", "projection", seed=2))
            out = model(prompt()).logits

    assert torch.equal(out, expected)
    assert name == "layer_1:debate_1"


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"divergence_method": "shouting"}, "There are: dropout, perturbation, projection"),
        ({"reconciliation_method": "vote"}, "There are: average, confidence, gated"),
        ({"divergence_strength": 1.0}, "0 up to below 1"),
        ({"divergence_strength": -0.1}, "0 up to below 1"),
        ({"gate": nn.Linear(64, 1)}, 'Use reconciliation "gated"'),
    ],
)
def test_what_cannot_be_debated_is_said_in_words(options: dict[str, Any], message: str) -> None:
    with pytest.raises(EditError, match=message):
        SelfDebate(tiny("llama"), layer_idx=1, **options)


def test_a_layer_that_is_not_there_is_refused() -> None:
    with pytest.raises(UnknownPartError, match="layer_3"):
        SelfDebate(tiny("llama"), layer_idx=3)
