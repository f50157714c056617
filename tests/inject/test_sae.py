"""A sparse autoencoder is its published formula, feature by feature, and what nobody turned keeps its bits."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from safetensors.torch import save_file
from torch import Tensor

from garage_nb.core.batch import prepare
from garage_nb.core.run import logits
from garage_nb.errors import EditError, GarageError, RecipeFileError, UnknownPartError
from garage_nb.inject.borrowed.door import borrow
from garage_nb.inject.borrowed.sae_files import sae_in
from garage_nb.inject.edit import Edit
from garage_nb.inject.kinds import edit_from
from garage_nb.inject.recipe import Recipe
from garage_nb.inject.sae import Sae
from garage_nb.registry.decompose import spec_of
from tests.analyze.naive import hooked
from tests.families import prompt, tiny
from tests.inject.borrowed.files import ARCHITECTURES, DIM, FEATURES, K, numpy_sae, sae_folder, weights
from tests.restored import left_as_it_was

NORMS = ["none", "constant_norm_rescale", "layer_norm"]
FACTORS = {3: 2.5, 7: 0.0, 20: -1.0}
MANY = dict.fromkeys(range(0, FEATURES, 2), -2.0)  # some of them are among the few of topk


@pytest.fixture(scope="module")
def llama_spec() -> Any:
    return spec_of(tiny("llama"))


def states(scale: float = 2.0) -> Tensor:
    return scale * torch.randn(2, 9, DIM, generator=torch.Generator().manual_seed(5))


def under(model: Any, *edits: Edit) -> Tensor:
    return logits(model, prepare(prompt(), model), Recipe(edits).taps(spec_of(model)))


def text(factors: dict[int, float]) -> str:
    return ",".join(f"{feature}={factor}" for feature, factor in factors.items())


@pytest.mark.parametrize("norm", NORMS)
@pytest.mark.parametrize("architecture", ARCHITECTURES)
@pytest.mark.parametrize("centres", [True, False])
def test_it_is_the_formula_in_double_precision(
    tmp_path: Path, llama_spec: Any, architecture: str, norm: str, centres: bool
) -> None:
    folder = sae_folder(tmp_path, architecture, apply_b_dec_to_input=centres, normalize_activations=norm)
    kept, dropped = (sae_in(folder, llama_spec, features=text(FACTORS), error=error) for error in ("kept", "dropped"))
    hidden = states()

    active, turned, plain = numpy_sae(architecture, weights(architecture), hidden, FACTORS, norm=norm, centres=centres)

    assert kept.at == "layer_1"
    assert 0.02 < (active > 0).mean() < 0.9
    np.testing.assert_allclose(kept.encode(hidden), active, rtol=0, atol=2e-5)
    np.testing.assert_allclose(dropped._rebuilt(hidden), turned, rtol=0, atol=5e-5)
    np.testing.assert_allclose(kept._turned(hidden), hidden.numpy() + turned - plain, rtol=0, atol=5e-5)
    assert np.abs(turned - plain).max() > 0.1


def test_a_decoder_that_scales_is_the_formula_too(tmp_path: Path, llama_spec: Any) -> None:
    own, hidden = weights("topk"), states()
    norms = own["W_dec"].norm(dim=1)
    edit = sae_in(sae_folder(tmp_path, "topk", rescale_acts_by_decoder_norm=True), llama_spec, features="3=2")

    before = ((hidden - own["b_dec"]) @ own["W_enc"] + own["b_enc"]) * norms
    found = before.topk(K)
    active = torch.zeros_like(before).scatter(-1, found.indices, found.values.relu())
    expected = hidden + active[..., 3:4] / norms[3] * own["W_dec"][3]

    torch.testing.assert_close(edit.encode(hidden), active, rtol=0, atol=2e-5)
    torch.testing.assert_close(edit._turned(hidden), expected, rtol=0, atol=2e-5)


def test_a_model_whose_writing_was_centred_is_read_so(tmp_path: Path, llama_spec: Any) -> None:
    kwargs = {"model_from_pretrained_kwargs": {"center_writing_weights": True}, "hook_name": "blocks.1.hook_resid_pre"}
    edit = sae_in(sae_folder(tmp_path, "standard", metadata=kwargs), llama_spec, features="3=2.5", error="dropped")

    active, turned, _ = numpy_sae("standard", weights("standard"), states(), {3: 2.5}, norm="mean_off")

    assert edit.at == "layer_1.before"
    np.testing.assert_allclose(edit.encode(states()), active, rtol=0, atol=2e-5)
    np.testing.assert_allclose(edit._rebuilt(states()), turned, rtol=0, atol=5e-5)


@pytest.mark.parametrize("architecture", ARCHITECTURES)
@pytest.mark.parametrize("family", ["gpt2", "llama", "mixtral", "gemma2"])
def test_in_a_model_it_is_a_hook_by_hand(tmp_path: Path, family: str, architecture: str) -> None:
    model = tiny(family)
    folder = sae_folder(tmp_path, architecture)
    (edit,) = borrow(folder, spec_of(model), features=text(MANY))

    def by_hand(hidden: Tensor) -> Tensor:
        _, turned, plain = numpy_sae(architecture, weights(architecture), hidden, MANY)
        return hidden + torch.from_numpy(turned - plain).to(hidden)

    with left_as_it_was(model):
        found = under(model, edit)
    with hooked(model, "layer_1", by_hand), torch.no_grad():
        expected = model(prompt()).logits

    torch.testing.assert_close(found, expected, rtol=1e-4, atol=1e-4)
    assert not torch.allclose(found, under(model), atol=1e-2)


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16, torch.float16])
@pytest.mark.parametrize("factors", ["", "3=1", "0=1,47=1.0"])
def test_turned_by_one_no_bit_changes(tmp_path: Path, dtype: torch.dtype, factors: str) -> None:
    model = tiny("llama").to(dtype)
    (edit,) = borrow(sae_folder(tmp_path, "jumprelu"), spec_of(model), features=factors)

    assert torch.equal(under(model, edit), under(model))


def test_where_a_turned_feature_is_silent_no_bit_changes(tmp_path: Path, llama_spec: Any) -> None:
    edit = sae_in(sae_folder(tmp_path, "standard"), llama_spec, features="3=100")
    hidden = states().bfloat16()

    silent = edit.encode(hidden)[..., 3] == 0
    found = edit._turned(hidden)

    assert 0 < silent.sum() < silent.numel()
    assert torch.equal(found[silent], hidden[silent])
    assert not torch.equal(found[~silent], hidden[~silent])
    assert found.dtype == torch.bfloat16


def test_other_tokens_and_padding_are_left_alone(tmp_path: Path, llama: Any) -> None:
    (edit,) = borrow(sae_folder(tmp_path, "standard"), spec_of(llama), error="dropped")
    some = edit_from({**edit.to_json(), "tokens": "3:5"}, edit.tensors())

    found, bare = under(llama, some), under(llama)

    assert torch.equal(found[:, :3], bare[:, :3])
    assert not torch.equal(found[:, 3:], bare[:, 3:])


def test_a_silent_stream_is_no_nan(tmp_path: Path, llama_spec: Any) -> None:
    folder = sae_folder(tmp_path, "standard", normalize_activations="constant_norm_rescale")

    for error in ("kept", "dropped"):
        edit = sae_in(folder, llama_spec, features="3=2", error=error)
        assert edit.tap(llama_spec).fn(torch.zeros(1, 2, DIM), None).isfinite().all()


@pytest.mark.parametrize(("hook", "head", "family", "place", "dim"), [
    ("blocks.2.hook_resid_pre", None, "gpt2", "layer_2.before", 32),
    ("blocks.0.hook_resid_mid", None, "llama", "layer_0.mid", 32),
    ("blocks.2.hook_mlp_out", None, "mixtral", "ffn_2", 32),
    ("blocks.1.hook_attn_out", None, "gemma2", "attention_1", 32),
    ("blocks.1.attn.hook_z", None, "gpt2", "attention_1.heads", 32),
    ("blocks.1.attn.hook_z", 2, "llama", "attention_1.head_2", 8),
    ("blocks.0.mlp.hook_post", None, "llama", "ffn_0.neurons", 64),
])  # fmt: skip
def test_it_acts_where_it_was_trained(
    tmp_path: Path, hook: str, head: int | None, family: str, place: str, dim: int
) -> None:
    model, reshape = tiny(family), "hook_z" if hook.endswith("hook_z") else "none"
    folder = sae_folder(
        tmp_path, "standard", weights("standard", dim), d_in=dim, reshape_activations=reshape,
        metadata={"hook_name": hook, "hook_head_index": head},
    )  # fmt: skip

    (edit,) = borrow(folder, spec_of(model), features="0=9,1=9,2=9,3=9")

    assert edit.at == place
    assert not torch.equal(under(model, edit), under(model))


OLDER: dict[str, dict[str, Any]] = {
    "version 3": {
        "architecture": "standard", "d_in": DIM, "d_sae": FEATURES, "activation_fn_str": "relu",
        "apply_b_dec_to_input": True, "finetuning_scaling_factor": False, "context_size": 128, "model_name": "tiny",
        "hook_name": "blocks.1.hook_resid_post", "hook_layer": 1, "hook_head_index": None, "prepend_bos": True,
        "dataset_path": "x/y", "dataset_trust_remote_code": True, "normalize_activations": "none", "dtype": "float32",
        "device": "cpu", "sae_lens_training_version": "3.1.0", "activation_fn_kwargs": {}, "neuronpedia_id": None,
        "model_from_pretrained_kwargs": {},
    },
    "version 2": {
        "model_name": "tiny", "hook_point": "blocks.1.hook_resid_post", "hook_point_layer": 1,
        "hook_point_head_index": None, "dataset_path": "x/y", "is_dataset_tokenized": False, "d_in": DIM,
        "d_sae": FEATURES, "l1_coefficient": 8e-5, "use_ghost_grads": False, "log_to_wandb": True, "seed": 42,
    },
}  # fmt: skip


@pytest.mark.parametrize("version", OLDER)
def test_flat_configs_of_older_versions_are_the_same_autoencoder(tmp_path: Path, llama_spec: Any, version: str) -> None:
    folder = sae_folder(tmp_path, "standard")
    now = sae_in(folder, llama_spec)

    (folder / "cfg.json").write_text(json.dumps(OLDER[version]))
    save_file({**weights("standard"), "scaling_factor": torch.ones(FEATURES)}, folder / "sae_weights.safetensors")

    assert sae_in(folder, llama_spec) == now


def test_a_topk_of_older_versions_says_so_by_its_activation(tmp_path: Path, llama_spec: Any) -> None:
    folder = sae_folder(tmp_path, "topk")
    now = sae_in(folder, llama_spec)
    older = {**OLDER["version 3"], "activation_fn_str": "topk", "activation_fn_kwargs": {"k": K}}

    (folder / "cfg.json").write_text(json.dumps(older))

    assert sae_in(folder, llama_spec) == now


def test_batchtopk_is_the_jumprelu_it_was_saved_as(tmp_path: Path, llama_spec: Any) -> None:
    one = sae_in(sae_folder(tmp_path / "a", "jumprelu"), llama_spec)
    other = sae_folder(tmp_path / "b", "jumprelu", architecture="batchtopk")

    assert sae_in(other, llama_spec) == one


@pytest.mark.parametrize(("changes", "message"), [
    ({"architecture": "transcoder"}, "has architecture 'transcoder'; known are standard, topk"),
    ({"architecture": ["standard"]}, "has architecture"),
    ({"normalize_activations": "expected_average_only_in"}, "by an average that these files do not hold"),
    ({"normalize_activations": "mean_off"}, "has normalize_activations 'mean_off'; known are none, constant"),
    ({"normalize_activations": ["none"]}, "has normalize_activations"),
    ({"reshape_activations": "hook_q"}, "has reshape_activations 'hook_q'; known are none, hook_z"),
    ({"reshape_activations": {}}, "has reshape_activations"),
    ({"activation_fn": "tanh-relu"}, "has activation_fn 'tanh-relu'"),
    ({"activation_fn": "topk"}, "says no whole k"),
    ({"finetuning_scaling_factor": True}, "says 'finetuning_scaling_factor', which is not known"),
    ({"of_a_later_version": "x"}, "says 'of_a_later_version', which is not known"),
    ({"apply_b_dec_to_input": "yes"}, "has apply_b_dec_to_input 'yes'; known are true, false"),
    ({"d_in": 0}, "says no whole d_in"),
    ({"d_sae": True}, "says no whole d_sae"),
    ({"d_sae": 47}, r"W_dec of .* is \(48, 32\); by cfg.json it is \(47, 32\)"),
    ({"metadata": {}}, "does not say where it was trained"),
    ({"metadata": {"hook_name": "blocks.1.hook_resid_post", "hook_head_index": 1}}, "is of head 1 of blocks.1"),
    ({"architecture": "jumprelu"}, "lacks 'threshold'; a jumprelu autoencoder has"),
    ({"architecture": "gated"}, "lacks 'b_gate'|holds another tensor, 'b_enc'"),
])  # fmt: skip
def test_a_config_that_says_another_arithmetic_is_refused(
    tmp_path: Path, llama_spec: Any, changes: dict[str, Any], message: str
) -> None:
    folder = sae_folder(tmp_path, "standard", **changes)

    with pytest.raises(RecipeFileError, match=message) as caught:
        borrow(folder, llama_spec)

    assert str(caught.value).count("\n") == 1


def test_a_width_or_a_place_that_does_not_fit_is_refused_naming_both(tmp_path: Path, llama_spec: Any) -> None:
    folder = sae_folder(tmp_path, "standard")

    with pytest.raises(EditError, match=r"autoencoder of 32 dimensions does not fit ffn_1\.neurons, which is 64 wide"):
        borrow(folder, llama_spec, at="ffn_1.neurons")
    with pytest.raises(UnknownPartError):
        borrow(folder, llama_spec, at="layer_9")
    with pytest.raises(EditError, match="There is no feature 48"):
        borrow(folder, llama_spec, features="48=2")
    with pytest.raises(EditError, match="no strength"):
        borrow(folder, llama_spec, strength=2)


@pytest.mark.parametrize(
    "features", ["3", "3=", "3=x", "x=3", "3=1,3=2", "3=nan", "3=inf", "-1=2", "=", "3=1=2", "3=2;4=1"]
)
def test_what_turns_no_feature_is_refused(tmp_path: Path, llama_spec: Any, features: str) -> None:
    with pytest.raises(EditError, match="turns no features"):
        borrow(sae_folder(tmp_path, "standard"), llama_spec, features=features)


@pytest.mark.parametrize("cut", [0, 7, 100, -1])
def test_weights_that_are_cut_short_are_refused(tmp_path: Path, llama_spec: Any, cut: int) -> None:
    file = sae_folder(tmp_path, "standard") / "sae_weights.safetensors"
    file.write_bytes(file.read_bytes()[:cut])

    with pytest.raises(RecipeFileError, match="no whole safetensors file"):
        borrow(tmp_path, llama_spec)


@pytest.mark.parametrize("architecture", ARCHITECTURES)
def test_it_is_saved_and_said_like_any_edit(tmp_path: Path, llama_spec: Any, architecture: str) -> None:
    recipe = borrow(sae_folder(tmp_path / "sae", architecture), llama_spec, features="3=2.5,40=0", error="dropped")

    again = Recipe.load(recipe.save(tmp_path / "mine.json"))

    assert again == recipe
    assert "--features 3=2.5,40=0 --error dropped" in str(recipe)
    assert torch.equal(*(one.edits[0].tap(llama_spec).fn(states(), None) for one in (again, recipe)))
    assert Sae(
        "layer_1", *(torch.ones(shape) for shape in ((2, 3), (3,), (3, 2), (2,))), features={2: 0.5}
    ).factors == {2: 0.5}


def test_whatever_stands_in_its_fields_it_is_an_edit_or_refused(tmp_path: Path, llama_spec: Any) -> None:
    (edit,) = borrow(sae_folder(tmp_path, "gated"), llama_spec)
    whole, tensors = edit.to_json(), {**edit.tensors(), "odd": torch.ones(3), "empty": torch.ones(0, 4)}
    odd = [None, True, -1, 10**9, 0.5, "", "x", [], [1], {"tensor": "odd"}, {"tensor": "empty"}, float("nan")]

    for name in whole.keys() - {"edit"}:
        for value in odd:
            try:
                made: object = edit_from({**whole, name: value}, tensors)
            except GarageError as error:
                made = error
            assert isinstance(made, Edit) or str(made).count("\n") == 1, (name, value)
