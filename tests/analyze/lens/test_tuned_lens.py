"""The tuned lens: its maps are NumPy's least squares, and on texts held out it is nearer the model's answer."""

from __future__ import annotations

from functools import cache
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

from garage_nb.analyze.lens import translators as fitting
from garage_nb.analyze.lens.answer import Lens
from garage_nb.analyze.lens.translators import RIDGE, Translators, translators
from garage_nb.errors import InputError, NotFiniteError
from garage_nb.garage import Garage
from garage_nb.inject.edits import Scale
from garage_nb.inject.recipe import Recipe
from garage_nb.registry.decompose import spec_of
from garage_nb.showroom import corpus
from garage_nb.showroom.domains import DOMAINS
from garage_nb.verbs import call
from tests.families import HIDDEN, PROMPT, prompt, tiny
from tests.restored import left_as_it_was

FAMILIES = ["gpt2", "llama", "gemma2"]
FRANCE = "The capital of France is"
LENGTHS = [9, 4, 12, 1, 7, 12, 11, 5]  # 61 tokens for 32 dimensions


def texts(side: str = "right", seed: int = 0) -> dict[str, Tensor]:
    """Ragged rows of random tokens, padded on one side."""
    made = torch.Generator().manual_seed(seed)
    ids, mask = torch.full((len(LENGTHS), 12), 2), torch.zeros(len(LENGTHS), 12, dtype=torch.long)
    for row, length in enumerate(LENGTHS):
        at = slice(0, length) if side == "right" else slice(12 - length, 12)
        ids[row, at] = torch.randint(3, 64, (length,), generator=made)
        mask[row, at] = 1
    return {"input_ids": ids, "attention_mask": mask}


@torch.no_grad()
def states(model: Any, given: dict[str, Tensor]) -> list[np.ndarray]:
    """What leaves each block, (tokens, dim) in float64, each text by itself and caught by hooks of our own."""
    spec, found = spec_of(model), {}
    blocks = [model.get_submodule(spec.parts[f"layer_{i}"].module_path) for i in range(spec.num_layers)]

    def keep(place: int) -> Any:
        def hook(module: Any, args: Any, output: Any) -> None:
            hidden = output if isinstance(output, Tensor) else output[0]
            found.setdefault(place, []).append(hidden[0].double().numpy())

        return hook

    handles = [block.register_forward_hook(keep(place)) for place, block in enumerate(blocks)]
    for ids, mask in zip(given["input_ids"], given["attention_mask"], strict=True):
        model(ids[mask.bool()][None], use_cache=False)
    for handle in handles:
        handle.remove()
    return [np.concatenate(found[place]) for place in range(len(blocks))]


def least_squares(x: np.ndarray, y: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Weight and bias, the ridge as further rows of the system."""
    middle, away = x.mean(0), (y - x).mean(0)
    ridge = np.sqrt(RIDGE * x.var(0).mean() * len(x)) * np.eye(x.shape[1])
    system, goal = np.concatenate([x - middle, ridge]), np.concatenate([y - x - away, np.zeros_like(ridge)])
    change = np.linalg.lstsq(system, goal, rcond=None)[0]
    return np.eye(x.shape[1]) + change, away - middle @ change


@pytest.mark.parametrize("side", ["left", "right"])
@pytest.mark.parametrize("family", FAMILIES)
def test_the_maps_are_those_of_least_squares(family: str, side: str) -> None:
    model = tiny(family)
    *layers, last = states(model, texts(side))

    with left_as_it_was(model):
        found = translators(Garage(model).lifted, texts(side), [], ["layer_0", "layer_1", "layer_2"])

    assert found.tokens == sum(LENGTHS) == len(last)
    for name, x in zip(found.maps, layers, strict=False):
        weight, bias = least_squares(x, last)
        assert np.abs(found.maps[name][0].numpy() - weight).max() < 1e-8
        assert np.abs(found.maps[name][1].numpy() - bias).max() < 1e-8


@pytest.mark.parametrize("family", FAMILIES)
def test_they_fit_nearly_as_well_as_anything_could(family: str) -> None:
    """Without the ridge NumPy's fit is the best there is."""
    model = tiny(family)
    x, *_, y = states(model, texts())
    found = translators(Garage(model).lifted, texts(), [], ["layer_0"])

    best = np.c_[x, np.ones(len(x))] @ np.linalg.lstsq(np.c_[x, np.ones(len(x))], y, rcond=None)[0]
    ours = found.of("layer_0", torch.tensor(x)).numpy()

    total = ((y - y.mean(0)) ** 2).sum()
    assert ((y - ours) ** 2).sum() < ((y - best) ** 2).sum() + 0.01 * total


def test_a_mean_of_a_million_costs_no_digits() -> None:
    made = torch.Generator().manual_seed(0)
    x = torch.randn(400, 6, generator=made).double()
    y = x @ torch.randn(6, 6, generator=made).double()
    far = x + 1e6

    sums = None
    for piece in range(0, 400, 40):
        sums = fitting._added(sums, "layer_0", far[None, piece : piece + 40], y[None, piece : piece + 40])
    assert sums is not None
    weight, bias = fitting._map(sums)

    expected, offset = least_squares(far.numpy(), y.numpy())
    assert np.abs(weight.numpy() - expected).max() < 1e-7
    assert np.abs((far @ weight + bias).numpy() - (far.numpy() @ expected + offset)).max() < 1e-5


@pytest.mark.parametrize("family", FAMILIES)
def test_every_row_is_the_norm_and_the_head_of_the_mapped_state(family: str) -> None:
    model = tiny(family)
    found = Garage(model).lens(PROMPT, tuned=texts(), top=3)

    spec = spec_of(model)
    norm, head = model.get_submodule(spec.parts["layer_norm_final"].module_path), model.get_output_embeddings()
    hidden = states(model, {"input_ids": prompt(), "attention_mask": torch.ones_like(prompt())})
    fitted = states(model, texts())
    cap = getattr(model.config, "final_logit_softcapping", None)
    for row, x, at in zip(found.layers.values(), fitted, hidden, strict=True):
        weight, bias = least_squares(x, fitted[-1])
        with torch.no_grad():
            logits = head(norm(torch.tensor(at @ weight + bias).float()))
        share = (torch.tanh(logits / cap) * cap if cap else logits).double().softmax(-1)
        assert torch.allclose(row.probabilities, share.topk(3).values, atol=1e-5)


@pytest.mark.parametrize("family", FAMILIES)
def test_the_last_layer_is_left_as_it_is(family: str) -> None:
    model = tiny(family)
    garage = Garage(model)
    plain, tuned = garage.lens(PROMPT), garage.lens(PROMPT, tuned=texts())

    assert tuned.translators is not None
    weight, bias = tuned.translators.maps["layer_2"]
    assert torch.equal(weight, torch.eye(HIDDEN).double())
    assert not bias.any()
    a, b = plain.layers["layer_2"], tuned.layers["layer_2"]
    assert all(torch.equal(vars(a)[name], vars(b)[name]) for name in vars(a))
    assert not b.divergence.any()


def test_they_are_fitted_with_the_recipe_in_force() -> None:
    model = tiny("llama")
    garage = Garage(model)
    garage.scale("layer_2", -0.5)

    found = garage.lens(PROMPT, tuned=texts()).translators

    x, _, y = states(model, texts())
    weight, bias = least_squares(x, -0.5 * y)
    assert found is not None
    assert np.abs(found.maps["layer_0"][0].numpy() - weight).max() < 1e-8
    assert np.abs(found.maps["layer_0"][1].numpy() - bias).max() < 1e-8
    taps = Recipe((Scale("layer_2", -0.5),)).taps(garage.spec)
    assert torch.equal(found.maps["layer_2"][0], torch.eye(HIDDEN).double())
    again = translators(garage.lifted, texts(), taps, ["layer_0"])
    assert torch.equal(again.maps["layer_0"][0], found.maps["layer_0"][0])


@cache
def showroom() -> tuple[Garage, Translators]:
    """Fitted on ten texts of every domain."""
    garage = Garage("showroom")
    read = [item.text for domain in DOMAINS for item in corpus.items(domain, n=10)]
    found = garage.lens(FRANCE, tuned=read).translators
    assert found is not None
    return garage, found


def divergences(garage: Garage, prompts: list[str], **how: Any) -> np.ndarray:
    """KL from the model's own answer in nats by layer, mean over the tokens of all prompts."""
    found = [np.array(garage.lens(text, **how).values_of("divergence")) for text in prompts]
    return np.concatenate(found, axis=1).mean(1)


def test_on_texts_held_out_it_is_nearer_the_models_answer() -> None:
    """3.5, 3.1, 2.6, 1.7, 0.35 nats become about 1.1, 0.7, 0.5, 0.25, 0.04."""
    garage, maps = showroom()
    fitted = {item.text for domain in DOMAINS for item in corpus.items(domain, n=10)}
    held = [item.text for domain in DOMAINS for item in corpus.items(domain, n=13)[10:] if item.text not in fitted]

    plain, tuned = divergences(garage, held), divergences(garage, held, tuned=maps)

    assert len(held) > 20
    assert (tuned[:5] < 0.5 * plain[:5]).all()
    assert tuned[0] < 1.5
    assert tuned[5] == plain[5] == 0


def test_it_says_that_it_is_tuned() -> None:
    garage, maps = showroom()

    found = garage.lens(FRANCE, tuned=maps)

    assert isinstance(found, Lens)
    assert found.translators is maps
    assert found.frame()["tuned"].all()
    assert "layer_0 tuned" in repr(found)
    assert f"tuned on {maps.tokens:,} tokens" in repr(found)
    assert any("tuned lens" in axes.get_ylabel() for axes in found.plot("entropy").figure.axes)
    assert "tuned" not in repr(garage.lens(FRANCE))


def test_the_verb_takes_texts_or_maps() -> None:
    garage, maps = showroom()

    found = call(garage, ["lens", FRANCE, "--layers", "0,-1", "--tuned", maps])

    same = garage.lens(FRANCE, layers="0,-1", tuned=maps)
    assert found.frame().equals(same.frame())
    assert list(found.layers) == ["layer_0", "layer_5"]


def test_too_few_tokens_are_refused() -> None:
    with pytest.raises(InputError, match="too few to fit maps of 32 dimensions") as caught:
        Garage(tiny("llama")).lens(PROMPT, tuned=[PROMPT[0]])
    assert "more than 32 tokens" in caught.value.hint


def test_maps_of_another_model_or_of_other_layers_are_refused() -> None:
    garage, maps = showroom()

    with pytest.raises(InputError, match="not of"):
        Garage(tiny("llama")).lens(PROMPT, tuned=maps)
    with pytest.raises(InputError, match=r"No map was fitted for layer_0\.before") as caught:
        garage.lens(FRANCE, layers="layer_0.before,-1", tuned=maps)
    assert "layer_0" in caught.value.hint


def test_more_than_the_budget_is_refused_before_anything_runs(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(fitting, "BUDGET", 1000)
    monkeypatch.setattr(fitting, "whole", lambda *given: pytest.fail("it ran"))

    with pytest.raises(InputError, match="Maps of 3 layers of 32 dimensions take"):
        Garage(tiny("llama")).lens(PROMPT, tuned=texts())


def test_nan_is_refused() -> None:
    garage = Garage(tiny("llama"))
    x = torch.full((1, 40, 4), float("nan")).double()

    with pytest.raises(NotFiniteError, match="layer_0 holds NaN"):
        fitting._added(None, "layer_0", x, x)
    garage.through("layer_1", lambda hidden: hidden * float("nan"))
    with pytest.raises((NotFiniteError, NotImplementedError)):
        garage.lens(PROMPT, tuned=texts())
