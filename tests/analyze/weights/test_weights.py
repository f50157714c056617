"""Weights: every number against NumPy in float64, every weight under one part, and what is no plain weight refused."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn

from garage_nb.analyze.weights.spectra import spectrum
from garage_nb.analyze.weights.weights import weights
from garage_nb.core.batch import prepare
from garage_nb.errors import InputError, NotFiniteError, UnknownPartError, UnsupportedModelError
from garage_nb.garage import Garage
from tests.coverage.zoo import Entry, build
from tests.families import prompt, tiny
from tests.restored import left_as_it_was

SHARING = Entry("masked", "albert", "AlbertForMaskedLM")
SPREAD = Entry("causal", "opt", "OPTForCausalLM")
STATE_SPACE = Entry("causal", "mamba", "MambaForCausalLM")


@pytest.mark.parametrize("family", ["gpt2", "llama", "gemma2", "mixtral"])
def test_every_number_is_numpys_in_float64(family: str) -> None:
    model = tiny(family)
    stored = {path: item.detach().double().numpy() for path, item in model.named_parameters()}

    with left_as_it_was(model):
        found = Garage(model).weights(tau=0.3)

    assert len(found.weights) >= len(stored)
    for one in found.weights:
        told, values = one.spectrum, _stored(model, found, one, stored)
        assert told.norm == pytest.approx(np.sqrt((values**2).sum()), rel=1e-12)
        assert told.mean == pytest.approx(values.mean(), abs=1e-12)
        assert told.std == pytest.approx(values.std(), rel=1e-12)
        assert told.sparsity == (np.abs(values) <= 0.3 * values.std()).mean()
        assert told.exact_zeros == (values == 0).mean()
        if values.ndim == 1:
            assert not len(told.singular)
            assert math.isnan(told.stable_rank)
            continue
        singular = np.linalg.svd(values, compute_uv=False)
        share = singular / singular.sum()
        np.testing.assert_allclose(told.singular.numpy(), singular, rtol=1e-9, atol=1e-12)
        assert told.stable_rank == pytest.approx((values**2).sum() / singular[0] ** 2, rel=1e-9)
        assert told.effective_rank == pytest.approx(np.exp(-(share * np.log(share)).sum()), rel=1e-9)


def _stored(model: Any, found: Any, one: Any, stored: dict[str, np.ndarray]) -> np.ndarray:
    """By the path of the part and the name inside it."""
    spec = Garage(model).spec
    name, _, number = one.name.partition("[")
    path = f"{spec.parts[one.part].module_path}.{name}"
    table = (
        stored if path in stored else {key: item.detach().double().numpy() for key, item in model.state_dict().items()}
    )
    return table[path][int(number[:-1])] if number else table[path]


@pytest.mark.parametrize("singular", [[3.0, 3.0, 3.0, 3.0], [5.0, 0.0, 0.0, 0.0], [2.0, 1.0, 1.0, 0.0]])
def test_a_matrix_of_known_singular_values(singular: list[float]) -> None:
    generator = torch.Generator().manual_seed(0)
    left = torch.linalg.qr(torch.randn(6, 4, generator=generator, dtype=torch.float64)).Q
    right = torch.linalg.qr(torch.randn(4, 4, generator=generator, dtype=torch.float64)).Q

    told = spectrum(left @ torch.tensor(singular, dtype=torch.float64).diag() @ right, 0.1, "made")

    share = [value / sum(singular) for value in singular if value]
    assert told.singular.tolist() == pytest.approx(sorted(singular, reverse=True), abs=1e-12)
    assert told.stable_rank == pytest.approx(sum(value**2 for value in singular) / max(singular) ** 2)
    assert told.effective_rank == pytest.approx(math.exp(-sum(value * math.log(value) for value in share)), rel=1e-6)


def test_zeros_have_no_rank() -> None:
    told = spectrum(torch.zeros(3, 2), 0.1, "made")

    assert told.norm == 0
    assert told.exact_zeros == told.sparsity == 1
    assert math.isnan(told.stable_rank)
    assert math.isnan(told.effective_rank)


@pytest.mark.parametrize("family", ["gpt2", "llama", "gemma2", "mixtral", "phi"])
def test_every_weight_of_the_model_is_listed_once(family: str) -> None:
    model = tiny(family)

    found = Garage(model).weights()

    own = [one for one in found.weights if not one.shared]
    assert sum(math.prod(one.spectrum.shape) for one in own) == sum(item.numel() for item in model.parameters())


@pytest.mark.parametrize("entry", [SHARING, SPREAD, STATE_SPACE], ids=str)
def test_so_it_is_in_odd_ones(entry: Entry) -> None:
    model = build(entry)

    found = Garage(model).weights()

    own = [one for one in found.weights if not one.shared]
    assert sum(math.prod(one.spectrum.shape) for one in own) == sum(item.numel() for item in model.parameters())
    assert len({(one.part, one.name) for one in found.weights}) == len(found.weights)


def test_a_tied_head_says_whose_weight_it_is(gpt2: Any) -> None:
    found = Garage(gpt2).weights(layers="embedding,output_head")

    head = found.of("output_head")[0]
    assert head.shared == "embedding weight"
    assert head.spectrum is found.of("embedding")[0].spectrum
    assert "output_head weight is embedding weight" in repr(found)


def test_a_block_that_runs_several_times_is_said_to_be_one() -> None:
    found = Garage(build(SHARING)).weights(layers="attention_*")

    assert not any(one.shared for one in found.of("attention_0"))
    assert all(one.shared == f"attention_0 {one.name}" for one in found.of("attention_2"))


def test_what_is_made_of_several_modules_has_the_weights_of_them_all() -> None:
    found = Garage(build(SPREAD)).weights(layers="ffn_0,layer_norm_0_ffn")

    assert {one.name for one in found.of("ffn_0")} == {"fc1.weight", "fc1.bias", "fc2.weight", "fc2.bias"}
    assert {one.name for one in found.of("layer_norm_0_ffn")} == {"weight", "bias"}


def test_experts_are_read_one_by_one() -> None:
    model = tiny("mixtral")

    found = Garage(model).weights(layers="ffn_1")

    fused = model.model.layers[1].mlp.experts.down_proj
    rows = {one.name: one.spectrum for one in found.weights}
    assert len([name for name in rows if "down_proj" in name]) == 4
    assert rows["experts.down_proj[2]"].norm == pytest.approx(float(fused[2].detach().double().norm()))
    assert Garage(model).weights(layers="layer_1").of("layer_1")


def test_edits_do_not_touch_weights(llama: Any) -> None:
    garage = Garage(llama)
    before = garage.weights(layers="attention_1").frame()

    garage.scale("attention_1", 0.5)

    assert garage.weights(layers="attention_1").frame().equals(before)


def test_nothing_runs(llama: Any) -> None:
    garage = Garage(llama)
    llama.register_forward_pre_hook(lambda *given: pytest.fail("it ran"))

    assert garage.weights().weights
    with pytest.raises(pytest.fail.Exception):
        llama(prepare(prompt(), llama).input_ids)


def test_weights_on_the_meta_device_are_refused(llama: Any) -> None:
    garage = Garage(llama)
    llama.model.layers[1].mlp.to("meta")

    with pytest.raises(UnsupportedModelError, match="not in memory"):
        garage.weights(layers="ffn_1")
    assert garage.weights(layers="ffn_0").weights


@pytest.mark.parametrize("dtype", [torch.int8, torch.uint8, torch.float8_e4m3fn])
def test_quantised_weights_are_refused(llama: Any, dtype: torch.dtype) -> None:
    garage = Garage(llama)
    packed = nn.Parameter(torch.zeros(32, 64).to(dtype), requires_grad=False)
    llama.model.layers[1].mlp.down_proj.weight = packed

    with pytest.raises(UnsupportedModelError, match="quantised, stored as"):
        garage.weights(layers="ffn_1")


def test_packed_buffers_are_refused(llama: Any) -> None:
    garage = Garage(llama)
    llama.model.layers[1].mlp.down_proj.register_buffer("qweight", torch.zeros(4, 4, dtype=torch.int32))

    with pytest.raises(UnsupportedModelError, match="packed integers"):
        garage.weights(layers="ffn_1")


class Packed(nn.Parameter):
    """As bitsandbytes keeps them."""


def test_parameters_of_a_kind_of_their_own_are_refused(llama: Any) -> None:
    garage = Garage(llama)
    llama.model.layers[1].mlp.down_proj.weight = Packed(torch.zeros(32, 64))

    with pytest.raises(UnsupportedModelError, match="stored as Packed"):
        garage.weights(layers="ffn_1")


def test_what_has_none_is_refused(llama: Any) -> None:
    garage = Garage(llama)

    with pytest.raises(InputError, match="has no weights of its own"):
        garage.weights(layers="attention_1.head_0")
    with pytest.raises(InputError, match="has no weights"):
        garage.weights(layers="rotary_emb")
    with pytest.raises(UnknownPartError, match="Nearest"):
        garage.weights(layers="attention_9")
    with pytest.raises(UnknownPartError, match="Nearest"):
        garage.weights(layers="0").of("layer_1")


def test_nan_is_refused(llama: Any) -> None:
    garage = Garage(llama)
    with torch.no_grad():
        llama.model.layers[1].mlp.down_proj.weight[0, 0] = float("nan")

    with pytest.raises(NotFiniteError, match="down_proj"):
        garage.weights()


def test_what_would_take_hours_is_refused(llama: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("garage_nb.analyze.weights.weights.BUDGET", 1000)

    with pytest.raises(InputError, match="Name fewer parts"):
        weights(Garage(llama).lifted)


def test_it_can_be_drawn(llama: Any) -> None:
    found = Garage(llama).weights(layers="0,1")

    lines = found.plot("layer_0").axes.get_lines()
    matrices = [one for one in found.of("layer_0") if len(one.spectrum.singular)]
    assert [list(line.get_ydata()) for line in lines] == [one.spectrum.singular.tolist() for one in matrices]
    assert "stable rank" in found.plot().axes.get_ylabel()
    assert "0.1" in found.plot(measure="sparsity").axes.get_ylabel()
    with pytest.raises(InputError, match="There are: norm"):
        found.plot(measure="rank")
