"""Every public name of the original Model Garage, used as its users use it, on every family and on embedded models.

Code written for it must run after replacing `model_garage` by `garage_nb`, so names, paths and arguments here are
spelled out, never derived.
"""

from __future__ import annotations

import contextlib
import inspect
import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import nn

import garage_nb
from garage_nb.__main__ import main
from garage_nb.core.hooks import HookManager
from garage_nb.core.loader import ModelLoader, quick_load
from garage_nb.core.tensor import TensorUtils
from garage_nb.extract.pytorch import PyTorchExtractor
from garage_nb.inject.debate import SelfDebate
from garage_nb.inject.layer import LayerInjector
from garage_nb.registry.decompose import _DECOMPOSERS
from garage_nb.registry.models import (
    ModelDecomposer,
    ModelFamily,
    ModelRegistry,
    ModelSpec,
    PartSpec,
    PartType,
    spec_of,
    teach,
)
from garage_nb.snapshot.capture import SnapshotCapture
from tests.families import FAMILIES, saved, tiny

EMBEDDED = ["showroom-gpt2", "showroom-llama"]
LAYERS = 4
FAMILY_OF = {
    "gpt2": "gpt2", "llama": "llama", "mistral": "mistral", "mixtral": "mixtral", "gemma": "gemma", "gemma2": "gemma",
    "gemma3_text": "gemma", "qwen2": "qwen", "qwen3": "qwen", "phi": "phi", "phi3": "phi",
}  # fmt: skip


class Opened:
    """A model as `quick_load` answers it, and the text and raw paths that suit it."""

    def __init__(self, name: str, source: str) -> None:
        self.source = source
        self.model, self.tokenizer, self.info = quick_load(source, device="cpu")
        self.text = "The capital of France is" if name in EMBEDDED else "the boy"
        self.ids = self.tokenizer(self.text, return_tensors="pt").input_ids
        self.blocks = "transformer.h" if name.endswith("gpt2") else "model.layers"
        self.attention = "attn" if name.endswith("gpt2") else "self_attn"

    def logits(self) -> torch.Tensor:
        with torch.no_grad():
            return self.model(self.ids).logits


@pytest.fixture(scope="module", params=[*FAMILIES, *EMBEDDED])
def opened(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Opened:
    name = request.param
    return Opened(name, name if name in EMBEDDED else saved(name, tmp_path_factory.mktemp(name), LAYERS))


@pytest.fixture(autouse=True)
def own_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("GARAGE_NB_CACHE", str(tmp_path / "specs"))
    return tmp_path / "specs"


@pytest.fixture(autouse=True)
def as_it_came(request: pytest.FixtureRequest) -> Iterator[None]:
    """Whatever a test does to a model, it is the same afterwards."""
    if "opened" not in request.fixturenames:
        yield
        return
    opened = request.getfixturevalue("opened")
    before = opened.logits()
    yield
    assert torch.equal(opened.logits(), before)
    assert all(not module._forward_hooks and not module._forward_pre_hooks for module in opened.model.modules())


def test_loader(opened: Opened) -> None:
    model, tokenizer, info = ModelLoader(device="cpu").load(opened.source)

    assert isinstance(info, Mapping)
    assert info["model_id"] == opened.source
    assert info["total_params"] == sum(parameter.numel() for parameter in model.parameters())
    assert info["num_layers"] == len(model.get_submodule(opened.blocks))
    assert info["hidden_dim"] == model.get_input_embeddings().weight.shape[1]
    assert (info["device"], info["dtype"]) == ("cpu", "float32")
    assert info["family"] == FAMILY_OF[model.config.model_type]
    assert info == opened.info
    assert tokenizer(opened.text)["input_ids"] == opened.ids[0].tolist()


def test_hook_manager(opened: Opened) -> None:
    third, second = f"{opened.blocks}.3", f"{opened.blocks}.2"
    calls = []
    with torch.no_grad(), HookManager(opened.model) as hooks:
        hooks.register_capture_hook(third, hook_name="h3")
        hooks.register_capture_hook(second, hook_name="h2", capture_input=True)
        hooks.register_forward_hook(second, lambda module, args, output: calls.append(type(module).__name__))
        expected = opened.model(opened.ids, output_hidden_states=True).hidden_states
        hidden = hooks.get_captured("h3")["output"]
        assert torch.equal(hooks.get_captured("h2")["input"], expected[2])
        assert torch.equal(hooks.get_captured("h2")["output"], expected[3])
        assert calls == [type(opened.model.get_submodule(second)).__name__]

        hooks.register_injection_hook(second, lambda leaving: leaving * 2, hook_name="twice")
        opened.model(opened.ids)
        torch.testing.assert_close(hooks.get_captured("h2")["output"], expected[3] * 2)
        assert hooks.list_hooks() == ["h3", "h2", second, "twice"]
        hooks.remove_hook("twice")
        hooks.remove_all()
        assert hooks.list_hooks() == []
    _forget_recorders(opened.model)

    assert hidden.shape == (1, opened.ids.shape[1], opened.info["hidden_dim"])


def test_tensor_utils() -> None:
    tensor = torch.tensor([[0.0, 3.0], [4.0, 0.0]])
    numbers = TensorUtils.stats(tensor)

    assert (numbers["mean"], numbers["min"], numbers["max"]) == (1.75, 0.0, 4.0)
    assert numbers["std"] == pytest.approx(tensor.numpy().std())
    assert (numbers["sparsity"], numbers["norm"], numbers["shape"]) == (0.5, 3.5, (2, 2))
    assert TensorUtils.cosine_sim(tensor, tensor) == pytest.approx(1)
    assert TensorUtils.cosine_similarity(tensor, -tensor) == pytest.approx(-1)
    assert TensorUtils.l2_distance(tensor, tensor + 1) == pytest.approx(2)


def test_registry(opened: Opened, tmp_path: Path) -> None:
    registry = ModelRegistry(cache_dir=tmp_path / "mine")
    spec = registry.register("mine", opened.model)
    count = opened.info["num_layers"]

    assert registry.detect_family(opened.model) is ModelFamily(opened.info["family"])
    assert registry.get_spec("mine") == spec
    assert registry.list_models() == ["mine"]
    assert registry.get_part("mine", "attention_3").module_path == f"{opened.blocks}.3.{opened.attention}"
    assert registry.get_module("mine", "ffn_3") is opened.model.get_submodule(f"{opened.blocks}.3.mlp")
    assert registry.list_parts("mine", PartType.ATTENTION) == [f"attention_{i}" for i in range(count)]
    assert set(registry.list_parts("mine", "mlp")) < set(registry.list_parts("mine"))
    assert ModelRegistry(cache_dir=tmp_path / "mine").get_spec("mine") == spec
    assert list((tmp_path / "mine").glob("*.json"))


def test_registry_compare(opened: Opened) -> None:
    registry = ModelRegistry()
    registry.register("one", opened.model, opened.tokenizer)
    registry.register("other", tiny("gpt2", layers=2, n_embd=24, n_head=3))
    found = registry.compare("one", "other")

    assert found["families"] == (opened.info["family"], "gpt2")
    assert found["hidden_dims"] == (opened.info["hidden_dim"], 24)
    assert found["layers"] == (opened.info["num_layers"], 2)
    assert found["heads"] == (opened.model.config.num_attention_heads, 3)
    assert found["vocab_sizes"] == (opened.model.get_input_embeddings().weight.shape[0], 64)
    assert found["compatible_parts"] == []
    twin = registry.compare("one", "one")
    assert twin["compatible_parts"] == sorted(
        {part.part_type.value for part in registry.get_spec("one").parts.values()},
        key=[kind.value for kind in PartType].index,
    )


def test_specs(opened: Opened) -> None:
    spec = spec_of(opened.model)
    config, count = opened.model.config, opened.info["num_layers"]

    assert isinstance(spec, ModelSpec)
    assert isinstance(spec.family, ModelFamily)
    assert (spec.num_layers, spec.num_heads) == (count, config.num_attention_heads)
    assert (spec.hidden_dim, spec.vocab_size) == tuple(opened.model.get_input_embeddings().weight.shape[::-1])
    assert spec.max_seq_len == config.max_position_embeddings
    assert isinstance(spec.model_id, str)
    assert isinstance(spec.parts, dict)
    assert isinstance(spec.extra_info, dict)
    assert spec.get_attention(-1) is spec.all_attention_parts()[-1]
    assert spec.get_ffn(1) is spec.all_ffn_parts()[1]
    assert spec.get_full_layer(2).module_path == f"{opened.blocks}.2"
    assert len(spec.all_attention_parts()) == len(spec.all_ffn_parts()) == count


def test_part_spec(opened: Opened) -> None:
    part = spec_of(opened.model).get_attention(1)
    width = opened.info["hidden_dim"]

    assert isinstance(part, PartSpec)
    assert (part.part_type, part.layer_idx) == (PartType.ATTENTION, 1)
    assert part.module_path == f"{opened.blocks}.1.{opened.attention}"
    assert (part.input_dim, part.output_dim) == (width, width)
    assert part.num_heads == opened.model.config.num_attention_heads
    assert part.head_dim == opened.model.get_submodule(part.module_path).head_dim
    assert part.intermediate_dim is None
    assert isinstance(part.extra_info, dict)


def test_part_types_and_families() -> None:
    kinds = ["embedding", "attention", "ffn", "layer_norm", "output_head", "rotary_emb", "gate", "full_layer"]
    families = ["gpt2", "llama", "mistral", "gemma", "qwen", "phi", "unknown"]

    assert [PartType(kind).value for kind in kinds] == kinds
    assert PartType("self_attention") is PartType.ATTENTION
    assert PartType("mlp") is PartType.FFN
    assert PartType("lm_head") is PartType.OUTPUT_HEAD
    assert [ModelFamily(family).value for family in families] == families


def test_model_decomposer() -> None:
    class Odd(ModelDecomposer):
        def detect(self, model: Any) -> bool:
            return model is odd

        def decompose(self, model: Any, model_id: str) -> ModelSpec:
            part = PartSpec(
                part_type=PartType.FFN, layer_idx=0, module_path="0", input_dim=2, output_dim=2, intermediate_dim=2
            )
            return ModelSpec(
                model_id=model_id, family=ModelFamily.UNKNOWN, hidden_dim=2, num_layers=1, num_heads=1, vocab_size=0,
                max_seq_len=None, parts={"ffn_0": part},
            )  # fmt: skip

    odd = nn.Sequential(nn.Linear(2, 2))
    assert inspect.isabstract(ModelDecomposer)
    assert {"detect", "decompose", "get_module"} <= set(dir(ModelDecomposer))
    taught = Odd()
    teach(taught)
    try:
        registry = ModelRegistry()
        registry.register("odd", odd)

        assert registry.get_module("odd", "mlp_0") is odd[0]
    finally:
        _DECOMPOSERS.remove(taught)


def test_extractor(opened: Opened) -> None:
    extractor = PyTorchExtractor(opened.source, device="cpu")
    extractor.load_model()
    attention = extractor.extract_component("self_attention", layer_idx=3)
    with torch.no_grad(), HookManager(opened.model) as hooks:
        hooks.register_capture_hook(f"{opened.blocks}.3.{opened.attention}", "inside", capture_input=True)
        opened.model(opened.ids)
        hidden, expected = hooks.get_captured("inside")["input"], hooks.get_captured("inside")["output"]
        out = attention(hidden)

    assert isinstance(attention, nn.Module)
    assert torch.equal(out, expected)
    assert attention.description.model_id == opened.source
    for component in ("ffn", "embedding", "layer_norm", "lm_head"):
        part = extractor.extract_component(component, layer_idx=3)
        given = opened.ids if component == "embedding" else hidden
        assert part(given).shape[:2] == hidden.shape[:2]


def test_layer_injector(opened: Opened) -> None:
    model, ids, blocks = opened.model, opened.ids, opened.blocks
    halves = nn.Module()
    halves.forward = lambda hidden: hidden / 2
    before = opened.logits()

    with torch.no_grad(), LayerInjector(model) as injector, HookManager(model) as hooks:
        hooks.register_capture_hook(f"{blocks}.2", "seen")
        model(ids)
        clean = hooks.get_captured("seen")["output"]
        added = injector.inject_additive(f"{blocks}.2", 1.0)
        scaled = injector.inject_scaling(f"{blocks}.2", scale=4.0)
        passed = injector.inject_custom_layer(f"{blocks}.2", halves)
        shifted = injector.inject(f"{blocks}.2", lambda hidden: hidden - 1)
        model(ids)
        torch.testing.assert_close(hooks.get_captured("seen")["output"], (clean + 1) * 4 / 2 - 1)
        names = [added, scaled, passed, shifted, injector.inject_scaling(f"{blocks}.2", scale=4.0)]
        assert injector.list_injections() == names
        assert len(set(names)) == 5
        injector.remove(shifted)
        assert shifted not in injector.list_injections()
        injector.remove_all()
        assert injector.list_injections() == []
        injector.inject_noise(f"{blocks}.1", noise_scale=0.5)
        assert not torch.equal(model(ids).logits, before)
    with contextlib.suppress(KeyboardInterrupt), LayerInjector(model) as injector:
        injector.inject_scaling(f"{blocks}.0", scale=0.0)
        raise KeyboardInterrupt

    assert torch.equal(opened.logits(), before)
    assert injector.list_injections() == []


def test_layer_injector_while_generating(opened: Opened) -> None:
    model, blocks = opened.model, opened.blocks
    with LayerInjector(model) as injector:
        injector.inject_scaling(f"{blocks}.1", scale=1.1)
        injector.inject_scaling(f"{blocks}.3", scale=0.85)
        injector.inject_custom_layer(f"{blocks}.2", nn.Identity())
        ids = model.generate(opened.ids, max_new_tokens=20, min_new_tokens=20, do_sample=False)

    assert ids.shape == (1, opened.ids.shape[1] + 20)


@pytest.mark.parametrize(
    ("divergence", "reconciliation"),
    [("dropout", "average"), ("perturbation", "confidence"), ("projection", "gated")],
)
def test_self_debate(opened: Opened, divergence: str, reconciliation: str) -> None:
    model, ids = opened.model, opened.ids
    with SelfDebate(model, layer_idx=3, divergence_method=divergence, reconciliation_method=reconciliation) as debate:
        told = model.generate(ids, max_new_tokens=5, min_new_tokens=5, do_sample=False)
        with torch.no_grad():
            debated = model(ids).logits
    info = debate.get_debate_info()

    assert told.shape == (1, ids.shape[1] + 5)
    assert not torch.equal(debated, opened.logits())
    assert (info["divergence"], info["reconciliation"], info["trained"]) == (divergence, reconciliation, False)
    assert "untrained" in repr(debate)


def test_snapshot_capture(opened: Opened) -> None:
    every = [f"{opened.blocks}.{i}" for i in range(opened.info["num_layers"])]
    found = SnapshotCapture(opened.model).run(opened.ids, layers=every)
    with torch.no_grad():
        expected = opened.model(opened.ids, output_hidden_states=True).hidden_states[1:-1]
    _forget_recorders(opened.model)

    assert list(found) == every
    for (name, snap), hidden in zip(found.items(), expected, strict=False):
        numbers = hidden.double().numpy()
        assert snap.mean_activation == pytest.approx(numbers.mean()), name
        assert snap.std_activation == pytest.approx(numbers.std()), name
        assert snap.sparsity == pytest.approx((abs(numbers) <= 0.1 * numbers.std()).mean()), name
        assert 0 < snap.entropy < torch.tensor(hidden.shape[-1]).log()
        assert (snap.shape, snap.dtype) == (tuple(hidden.shape), "float32")
        assert snap.hidden is None
    kept = SnapshotCapture(opened.model).run(opened.ids, layers=every[:1], keep=True)
    assert torch.equal(kept[every[0]].hidden, expected[0])


NAMES = [
    "ModelLoader",
    "quick_load",
    "HookManager",
    "TensorUtils",
    "ModelRegistry",
    "ModelSpec",
    "PartSpec",
    "ModelDecomposer",
    "ModelFamily",
    "PartType",
    "PyTorchExtractor",
    "LayerInjector",
    "SelfDebate",
    "SnapshotCapture",
]


@pytest.mark.parametrize("name", NAMES)
def test_every_name_is_exported_from_the_package(name: str) -> None:
    here = {key: value for key, value in globals().items() if key in NAMES}

    assert getattr(garage_nb, name) is here[name]
    assert name in garage_nb.__all__
    assert name in dir(garage_nb)


def test_the_usage_page_as_written(capsys: pytest.CaptureFixture[str]) -> None:
    """The page itself, its imports moved to the top of this file."""
    model, tokenizer, info = quick_load("showroom-gpt2")
    ids = tokenizer("The capital of France is", return_tensors="pt").input_ids.to(info["device"])
    my_module = nn.Identity()

    with HookManager(model) as hooks:
        hooks.register_capture_hook("transformer.h.3", hook_name="h3")
        model(ids)
        hidden = hooks.get_captured("h3")["output"]  # (batch, seq, dim)
    assert 0 <= TensorUtils.stats(hidden)["sparsity"] <= 1
    assert TensorUtils.cosine_sim(hidden, hidden) == pytest.approx(1)

    every = [f"transformer.h.{i}" for i in range(model.config.n_layer)]
    for name, snap in SnapshotCapture(model).run(ids, layers=every).items():
        print(name, snap.mean_activation, snap.sparsity)
    assert len(capsys.readouterr().out.splitlines()) == model.config.n_layer

    with LayerInjector(model) as injector:
        injector.inject_scaling("transformer.h.1", scale=1.1)
        injector.inject_scaling("transformer.h.3", scale=0.85)
        injector.inject_custom_layer("transformer.h.2", my_module)
        assert model.generate(ids, max_new_tokens=20).shape[1] > ids.shape[1]

    with SelfDebate(model, layer_idx=3, reconciliation_method="gated"):
        assert model.generate(ids, max_new_tokens=20).shape[1] > ids.shape[1]

    registry = ModelRegistry()
    spec = registry.register("showroom-gpt2", model)
    assert spec.family is ModelFamily.GPT2
    assert registry.get_part("showroom-gpt2", "attention_3").module_path == "transformer.h.3.attn"
    assert registry.get_module("showroom-gpt2", "ffn_3") is model.transformer.h[3].mlp
    assert "attention_3" in registry.list_parts("showroom-gpt2", PartType.ATTENTION)
    assert isinstance(registry.compare("showroom-gpt2", "showroom-llama")["compatible_parts"], list)

    extractor = PyTorchExtractor("showroom-gpt2")
    extractor.load_model()
    attention = extractor.extract_component("self_attention", layer_idx=3)
    assert attention(hidden).shape == hidden.shape


@pytest.mark.parametrize(
    ("line", "says"),
    [
        (["analyze", "showroom", "--prompt", "The capital of France is", "--layers", "0,3,-1"], ["layer_0", "layer_3"]),
        (["open", "showroom"], ["showroom"]),
        (["parts", "showroom"], ["attention_0", "output_head"]),
        (["compare", "showroom-gpt2", "showroom-llama"], ["gpt2", "llama"]),
        (["extract", "showroom", "--layer", "3", "--component", "self_attention"], ["attention_3", "parameters"]),
        (["registry", "add", "showroom-llama"], ["showroom-llama"]),
        (["registry", "list"], []),
    ],
    ids=lambda value: value[0] if value and value[0].isalpha() else "",
)
def test_the_command_line_as_written(line: list[str], says: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    code = main(line)
    shown = capsys.readouterr()

    assert code == 0, shown.err
    assert shown.out.strip()
    assert all(word in shown.out for word in says), shown.out


def test_specs_are_kept_as_json(own_cache: Path) -> None:
    ModelRegistry().register("tiny", tiny("llama"))

    records = [json.loads(file.read_text()) for file in own_cache.glob("*.json")]
    assert {record["spec"]["model_id"] for record in records} == {"tiny"}


def _forget_recorders(model: nn.Module) -> None:
    """transformers leaves hooks of its own behind when asked for hidden states; they are not ours to judge."""
    for module in model.modules():
        module._forward_hooks.clear()
        module._forward_pre_hooks.clear()
        module.__dict__.pop("_output_capturing_hooks_installed", None)
