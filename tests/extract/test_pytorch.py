"""Parts taken out must equal the parts inside: the oracle is the module in the model, read while the model runs."""

from __future__ import annotations

import functools
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import nn

from garage_nb.core.hooks import HookManager
from garage_nb.core.sites import entering, leaving
from garage_nb.errors import InputError, UnknownPartError, UnsupportedModelError
from garage_nb.extract.pytorch import PyTorchExtractor
from garage_nb.registry.models import PartType, spec_of
from tests.coverage.zoo import build, entries, inputs
from tests.families import FAMILIES, PROMPT, VOCAB, WINDOW, prompt, saved, tiny

DONORS = [(family, kind) for family in FAMILIES for kind in ("eager", "sdpa") if (family, kind) != ("gemma2", "sdpa")]
donors = pytest.mark.parametrize(("family", "kind"), DONORS)
EXPERTS = {"experts_implementation": "eager"}  # the default kernel of the experts takes no float64
families = pytest.mark.parametrize("family", FAMILIES)


def inside(model: nn.Module, names: list[str], **inputs: Any) -> dict[str, dict[str, torch.Tensor]]:
    """What enters and leaves the modules of these parts while the model runs."""
    spec = spec_of(model)
    with HookManager(model) as hooks, torch.no_grad():
        for name in names:
            hooks.register_capture_hook(spec.part(name).module_path, name, capture_input=True)
        model(**inputs, use_cache=False)
    return {name: hooks.get_captured(name) for name in names}


def hidden_states(seq: int = 10, batch: int = 2, seed: int = 0) -> torch.Tensor:
    return torch.randn(batch, seq, 32, generator=torch.Generator().manual_seed(seed))


@donors
def test_every_part_equals_the_part_inside_the_model(family: str, kind: str) -> None:
    model = tiny(family, attn_implementation=kind)
    extractor = PyTorchExtractor(model)
    names = [name for name in extractor.list_components() if name != "rotary_emb"]
    expected = inside(model, names, input_ids=prompt())

    for name in names:
        with torch.no_grad():
            out = extractor.extract_component(name)(expected[name]["input"])
        first = out[0] if isinstance(out, tuple) else out
        assert torch.equal(first, expected[name]["output"]), name


@donors
@pytest.mark.parametrize("padding", ["left", "right"])
def test_padded_prompts_too(family: str, kind: str, padding: str) -> None:
    model = tiny(family, attn_implementation=kind)
    short, pad = PROMPT[0][:6], [2] * 4
    row = [*pad, *short] if padding == "left" else [*short, *pad]
    ids = torch.tensor([PROMPT[0], row])
    mask = torch.tensor([[1] * 10, [0] * 4 + [1] * 6 if padding == "left" else [1] * 6 + [0] * 4])
    positions = (mask.cumsum(1) - 1).clamp(min=0) if padding == "left" else None
    names = ["attention_1", "layer_1", "attention_-1", "layer_-1"]
    expected = inside(model, names, input_ids=ids, attention_mask=mask, position_ids=positions)
    extractor = PyTorchExtractor(model)

    for name in names:
        with torch.no_grad():
            out = extractor.extract_component(name)(expected[name]["input"], attention_mask=mask)
        assert torch.equal(out, expected[name]["output"]), name


@families
def test_rotary_part_answers_as_the_one_inside(family: str) -> None:
    model = tiny(family)
    extractor = PyTorchExtractor(model)
    if family == "gpt2":
        with pytest.raises(UnknownPartError):
            extractor.extract_component("rotary_emb")
        return
    kinds = ["sliding_attention"] if family == "gemma3_text" else []
    call = (hidden_states(), torch.arange(10)[None], *kinds)

    cos, sin = extractor.extract_component("rotary_emb")(*call)

    expected = model.get_submodule("model.rotary_emb")(*call)
    assert torch.equal(cos, expected[0])
    assert torch.equal(sin, expected[1])


@families
@pytest.mark.parametrize("component", ["self_attention", "full_layer"])
def test_runs_on_hidden_states_alone_and_looks_only_back(family: str, component: str) -> None:
    part = PyTorchExtractor(tiny(family)).extract_component(component, layer_idx=1)  # the donor is gone now
    hidden = hidden_states()
    other = hidden.clone()
    other[:, 7:] = hidden_states(3, seed=1)

    with torch.no_grad():
        first, second = part(hidden), part(other)

    assert first.shape == hidden.shape
    assert first.isfinite().all()
    torch.testing.assert_close(first[:, :7], second[:, :7])
    assert not torch.allclose(first[:, 7:], second[:, 7:])


@pytest.mark.parametrize(("family", "sliding"), [("gemma2", 0), ("gemma3_text", 0), ("qwen2", 1), ("mistral", 0)])
def test_a_sliding_layer_keeps_its_window(family: str, sliding: int) -> None:
    part = PyTorchExtractor(tiny(family)).extract_component("attention", layer_idx=sliding)
    hidden = hidden_states()
    other = hidden.clone()
    other[:, 0] += 1

    with torch.no_grad():
        moved = (part(hidden) - part(other)).abs().amax(dim=(0, 2)) > 1e-6

    assert moved.nonzero()[:, 0].tolist() == list(range(WINDOW))


@pytest.mark.parametrize(("family", "full"), [("gemma2", 1), ("gemma3_text", 1), ("qwen2", 0), ("llama", 2)])
def test_a_full_layer_beside_sliding_ones_sees_everything(family: str, full: int) -> None:
    part = PyTorchExtractor(tiny(family)).extract_component("attention", layer_idx=full)
    hidden = hidden_states()
    other = hidden.clone()
    other[:, 0] += 1

    with torch.no_grad():
        moved = (part(hidden) - part(other)).abs().amax(dim=(0, 2)) > 1e-6

    assert moved.all()


def test_a_scale_that_depends_on_the_layer_is_kept() -> None:
    model = tiny("gpt2", scale_attn_by_inverse_layer_idx=True)
    expected = inside(model, ["attention_2"], input_ids=prompt())["attention_2"]

    with torch.no_grad():
        out = PyTorchExtractor(model).extract_component("attention_2")(expected["input"])

    assert torch.equal(out, expected["output"])


@pytest.mark.parametrize("family", ["gpt2", "gemma3_text", "mixtral"])
@pytest.mark.parametrize("component", ["attention", "layer"])
def test_gradients_agree_with_finite_differences(family: str, component: str) -> None:
    part = PyTorchExtractor(tiny(family, **EXPERTS)).extract_component(component, layer_idx=1).double()
    hidden = hidden_states(3, batch=1).double().requires_grad_()

    # RMS norms compute in float32 whatever they are given, so the steps cannot be small.
    assert torch.autograd.gradcheck(part, (hidden,), eps=1e-3, atol=1e-2, rtol=1e-2, fast_mode=True)


@families
def test_gradients_reach_every_weight_of_the_part(family: str) -> None:
    part = PyTorchExtractor(tiny(family)).extract_component("layer", layer_idx=1)
    hidden = hidden_states(batch=4).requires_grad_()

    part(hidden).square().mean().backward()

    assert hidden.grad is not None
    assert hidden.grad.isfinite().all()
    for name, parameter in part.named_parameters():
        assert parameter.grad is not None, name
        assert parameter.grad.isfinite().all(), name


@families
def test_the_donor_stays_as_it_was(family: str) -> None:
    model = tiny(family).train()
    before = {name: tensor.clone() for name, tensor in model.state_dict().items()}
    config = model.config.to_dict()
    tables = hooks_of(model)
    extractor = PyTorchExtractor(model)

    for name in ("attention_1", "layer_1", "ffn_0", "embedding", "output_head"):
        part = extractor.extract_component(name)
        with torch.no_grad():
            for parameter in part.parameters():
                parameter.zero_()
    extractor.extract_component("attention_1")(hidden_states())

    assert list(model.state_dict()) == list(before)
    assert all(torch.equal(tensor, before[name]) for name, tensor in model.state_dict().items())
    assert model.config.to_dict() == config
    assert hooks_of(model) == tables
    assert all(module.training for module in model.modules())


def test_hooks_on_the_donor_stay_behind() -> None:
    model = tiny("llama")
    expected = inside(model, ["layer_1"], input_ids=prompt())["layer_1"]
    seen: list[str] = []
    with HookManager(model) as hooks:
        hooks.register_injection_hook("model.layers.1", lambda hidden: hidden * 0)
        hooks.register_injection_hook("model.layers.1.mlp", lambda hidden: hidden * 0)
        hooks.register_forward_hook("model.rotary_emb", lambda *call: seen.append("rotary"))
        part = PyTorchExtractor(model).extract_component("layer_1")
        seen.clear()  # opening the model ran it
        with torch.no_grad():
            out = part(expected["input"])

    assert hooks_of(part) == []
    assert seen == []
    assert torch.equal(out, expected["output"])


@pytest.mark.parametrize("component", ["attention", "layer"])
def test_what_accelerate_wraps_around_a_spread_model_stays_behind(component: str) -> None:
    model = tiny("llama")
    name = f"{component}_1"
    expected = inside(model, [name], input_ids=prompt())[name]
    moves: list[nn.Module] = []
    for module in (model.model.layers[1], model.model.layers[1].self_attn, model.model.rotary_emb):
        as_accelerate_dispatches(module, moves)

    part = PyTorchExtractor(model).extract_component(name)
    moves.clear()  # the proof ran the model itself
    with torch.no_grad():
        out = part(expected["input"])

    assert moves == []
    assert torch.equal(out, expected["output"])
    assert model.model.layers[1]._hf_hook is not None


@families
def test_a_part_shows_only_its_own_weights_and_can_be_moved(family: str) -> None:
    model = tiny(family, **EXPERTS)
    extractor = PyTorchExtractor(model)
    for name in ("attention_1", "layer_1"):
        own = model.get_submodule(spec_of(model).part(name).module_path).state_dict()

        part = extractor.extract_component(name)
        moved = extractor.extract_component(name).to(torch.float64)
        with torch.no_grad():
            out = moved(hidden_states().double())

        assert list(part.module.state_dict()) == list(own)
        assert list(part.state_dict()) == [f"module.{key}" for key in own]
        assert sum(p.numel() for p in part.parameters()) == part.description.parameters
        assert out.dtype is torch.float64
        torch.testing.assert_close(out.float(), part(hidden_states()), rtol=1e-4, atol=1e-4)


def test_weights_can_be_saved_and_put_into_another_copy() -> None:
    donor, other = tiny("llama"), tiny("llama", seed=1)
    part = PyTorchExtractor(donor).extract_component("attention_2")
    target = PyTorchExtractor(other).extract_component("attention_2")
    assert not torch.equal(target(hidden_states()), part(hidden_states()))

    target.load_state_dict(part.state_dict())

    assert torch.equal(target(hidden_states()), part(hidden_states()))


def test_parts_are_in_evaluation_mode_whatever_the_donor_is_in() -> None:
    model = tiny("gpt2", attn_pdrop=0.5, resid_pdrop=0.5).train()
    part = PyTorchExtractor(model).extract_component("layer_1")

    first, second = part(hidden_states()), part(hidden_states())

    assert torch.equal(first, second)
    assert not any(module.training for module in part.modules())


NAMES = {
    ("self_attention", 1): "attention_1", ("attn", -1): "attention_2", (PartType.ATTENTION, 0): "attention_0",
    ("mlp", 1): "ffn_1", ("feed_forward", 1): "ffn_1", ("ffn", -3): "ffn_0", ("layer", 2): "layer_2",
    ("full_layer", 0): "layer_0", ("gate", 1): "gate_1", ("layer_norm", 1): "layer_norm_1_attention",
    ("layer_norm", None): "layer_norm_final", ("embedding", None): "embedding", ("embedding", 2): "embedding",
    ("lm_head", None): "output_head", ("rotary_emb", None): "rotary_emb", ("attention_2", None): "attention_2",
    ("layer_-1", None): "layer_2", ("layer_norm_1_ffn", None): "layer_norm_1_ffn",
    ("model.layers.1.self_attn", None): "attention_1", ("blocks.1.hook_mlp_out", None): "ffn_1",
}  # fmt: skip


@pytest.mark.parametrize(("asked", "name"), NAMES.items())
def test_a_component_goes_by_many_names(asked: tuple[str, int | None], name: str) -> None:
    part = PyTorchExtractor(tiny("mixtral")).extract_component(*asked)

    assert part.description.name == name


@pytest.mark.parametrize(
    ("asked", "error", "message"),
    [
        (("attention",), InputError, "Every layer has its own attention"),
        (("carburettor",), UnknownPartError, "'carburettor' is no part of"),
        (("carburettor", 1), InputError, "Types are embedding,"),
        (("attention_1", 2), InputError, "a full name comes without layer_idx"),
        (("attention", 9), UnknownPartError, "attention_9"),
        (("layer_norm", 9), UnknownPartError, "layer_9"),
        (("gate", 0), UnknownPartError, "gate_0"),
        (
            ("attention_1.heads",),
            InputError,
            r"Take the whole part out: attention_1, or some: attention_1.heads\[0:2\]",
        ),
        (("attention_1.q",), InputError, "Take the whole part out: attention_1"),
        (("model.layers.1.mlp.up_proj",), UnknownPartError, "not a catalogued part"),
    ],
)
def test_what_cannot_be_taken_out_is_said_in_words(
    asked: tuple[Any, ...], error: type[Exception], message: str
) -> None:
    extractor = PyTorchExtractor(tiny("llama"))

    with pytest.raises(error, match=message):
        extractor.extract_component(*asked)


def test_weights_that_are_not_in_memory_are_refused() -> None:
    model = tiny("llama")
    extractor = PyTorchExtractor(model)
    extractor.list_components()  # opened while they were
    model.model.layers[1].mlp.to("meta")

    with pytest.raises(UnsupportedModelError, match="The weights of ffn_1 are not in memory"):
        extractor.extract_component("ffn_1")
    with pytest.raises(UnsupportedModelError, match="meta device"):  # a copy is proved beside a run of the model
        extractor.extract_component("attention_1")


@pytest.mark.parametrize(
    ("hidden", "mask", "message"),
    [
        (torch.zeros(10, 32), None, r"takes hidden states \(batch, seq, 32\), not \(10, 32\) float32"),
        (torch.zeros(1, 10, 16), None, r"not \(1, 10, 16\)"),
        (torch.zeros(1, 10, 32, dtype=torch.long), None, "int64"),
        (torch.zeros(1, 65, 32), None, "65 tokens long"),
        (torch.zeros(2, 10, 32), torch.ones(1, 10), r"The mask is \(1, 10\)"),
    ],
)
def test_wrong_hidden_states_are_refused(hidden: torch.Tensor, mask: torch.Tensor | None, message: str) -> None:
    part = PyTorchExtractor(tiny("gpt2")).extract_component("attention_0")

    with pytest.raises(InputError, match=message):
        part(hidden, mask)


def test_the_description_says_what_a_part_is() -> None:
    part = PyTorchExtractor(tiny("gpt2")).extract_component("output_head")
    known = part.description

    assert (known.name, known.family.value, known.input_dim, known.output_dim) == ("output_head", "gpt2", 32, VOCAB)
    assert known.parameters == 32 * VOCAB
    assert known.tied == "its weight is also that of embedding in the model, but here it is on its own"
    assert str(known).startswith("output_head of GPT2LMHeadModel (gpt2): 32 → 64, 2,048 parameters; its weight is also")
    for fact in ("GPT2LMHeadModel (gpt2)", "32 → 64", "2,048 parameters", known.tied):
        assert fact in repr(part)


def test_weights_that_are_nobody_elses_are_not_called_tied() -> None:
    extractor = PyTorchExtractor(tiny("llama", tie_word_embeddings=False))

    assert {extractor.extract_component(name).description.tied for name in extractor.list_components()} == {""}


def test_a_folder_is_loaded_when_first_needed(tmp_path: Path) -> None:
    folder = saved("llama", tmp_path)
    expected = inside(tiny("llama"), ["attention_1"], input_ids=prompt())["attention_1"]
    extractor = PyTorchExtractor(folder, device="cpu")

    part = extractor.extract_component("self_attention", layer_idx=1)
    with torch.no_grad():
        out = part(expected["input"])

    assert torch.equal(out, expected["output"])
    assert part.description.model_id == folder
    assert extractor.load_model() is extractor.load_model()


def hooks_of(model: nn.Module) -> list[Any]:
    tables = ("_forward_hooks", "_forward_pre_hooks", "_backward_hooks", "_backward_pre_hooks")
    return [hook for module in model.modules() for table in tables for hook in getattr(module, table).values()]


def as_accelerate_dispatches(module: nn.Module, moves: list[nn.Module]) -> None:
    """What `accelerate.hooks.add_hook_to_module` does to an instance."""

    def moving(inner: nn.Module, *args: Any, **kwargs: Any) -> Any:
        moves.append(inner)
        return inner._old_forward(*args, **kwargs)

    module._hf_hook, module._old_forward = object(), module.forward
    module.forward = functools.partial(moving, module)


EXTRACTED = {
    "masked-bert": ("attention_1", "layer_1"),
    "causal-mamba": ("mixer_1", "layer_1"),
    "causal-gpt_neox": ("attention_1", "layer_1"),
    "causal-falcon": ("attention_1", "layer_1"),
    "causal-gemma3": ("attention_1", "layer_1"),
    "seq2seq-t5": ("attention_0",),
}


@pytest.mark.parametrize(("entry", "name"), [(entry, name) for entry, names in EXTRACTED.items() for name in names])
def test_parts_of_other_architectures_run_on_their_own(entry: str, name: str) -> None:
    model = of_the_zoo(entry)
    site = spec_of(model).parts[name]

    part = PyTorchExtractor(model).extract_component(name)

    seen: list[torch.Tensor] = []
    module = model.get_submodule(site.module_path)
    module.register_forward_hook(lambda m, a, k, out: seen.extend((entering(a, k), leaving(out))), with_kwargs=True)
    with torch.no_grad():
        model(**inputs(model))
        torch.testing.assert_close(part(seen[0]), seen[1])


@pytest.mark.parametrize("entry", ["seq2seq-t5", "seq2seq-bart"])
def test_what_needs_other_blocks_is_refused(entry: str) -> None:
    """T5's first block hands its position bias on; cross-attention needs an encoder."""
    name = {"seq2seq-t5": "attention_1", "seq2seq-bart": "cross_attention_1"}[entry]

    with pytest.raises(UnsupportedModelError, match="hidden states alone"):
        PyTorchExtractor(of_the_zoo(entry)).extract_component(name)


def test_a_part_that_is_spread_over_a_block_is_refused() -> None:
    """Inkling's attention goes on through a convolution, with more between the two than handing on."""
    with pytest.raises(InputError, match=r"attention_1 is no module of its own: .*attn_sconv.*\n.*layer_1"):
        PyTorchExtractor(of_the_zoo("causal-inkling_text")).extract_component("attention_1")


def test_a_decoder_without_a_config_is_refused_in_words() -> None:
    with pytest.raises(UnsupportedModelError, match=r"FSMTDecoder has no config.*\n.*in the model"):
        PyTorchExtractor(of_the_zoo("seq2seq-fsmt")).extract_component("attention_1")


def of_the_zoo(name: str) -> Any:
    return build(next(entry for entry in entries() if str(entry) == name))
