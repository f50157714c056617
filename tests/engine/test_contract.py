"""Other people's wrappers, hooks, dtypes and habits: on each the garage is right, bit for bit, or says why it is not.

A cell is a model and where its blocks lie in it. "Right" is `demand_right`: captures, edits in the user's own call and
in runs of ours, at every depth, again and again so that what was kept of the first is answered with, all against torch
hooks by hand.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.nn.utils import parametrizations, parametrize

from garage_nb.core.kept import state_of
from garage_nb.errors import GarageError, UnknownPartError, UnsupportedModelError
from garage_nb.inject.layer import LayerInjector
from garage_nb.registry.decompose import spec_of
from tests.families import VOCAB, prompt, tiny
from tests.restored import hooks_on

from .contract import (
    LAYERS,
    Oracle,
    answer_of,
    asked_at,
    demand_answers,
    demand_right,
    first_tensor,
    generated,
    injected,
    scaled_by_hand,
)

GPT2 = [f"transformer.h.{i}" for i in range(3)]
LLAMA = [f"model.layers.{i}" for i in range(3)]
PATHS = {"gpt2": GPT2, "llama": LLAMA, "mixtral": LLAMA, "gemma3_text": LLAMA}
Cell = tuple[Any, list[str]]


def close(a: Any, b: Any) -> bool:
    return torch.allclose(a.float(), b.float(), atol=1e-5)


# Offloading: weights that are elsewhere until their module runs.


@pytest.fixture(params=["cpu_offload", "disk_offload", "dispatch_model"])
def offloads(request: pytest.FixtureRequest, tmp_path: Path) -> Callable[[Any], Any]:
    import accelerate

    if request.param == "dispatch_model":
        return lambda model: accelerate.dispatch_model(
            model, _places(model), main_device="cpu", offload_dir=str(tmp_path), force_hooks=True
        )
    cpu = torch.device("cpu")
    if request.param == "cpu_offload":
        return lambda model: accelerate.cpu_offload(model, execution_device=cpu)
    return lambda model: accelerate.disk_offload(model, str(tmp_path), execution_device=cpu)


def _places(model: Any) -> dict[str, str]:
    """Every part on the processor but the middle block, which is on disk."""
    body = "transformer" if hasattr(model, "transformer") else "model"
    blocks = "h" if body == "transformer" else "layers"
    parts = [name for name, _ in model.get_submodule(body).named_children() if name != blocks]
    places = {f"{body}.{name}": "cpu" for name in parts} | {"lm_head": "cpu"}
    return places | {f"{body}.{blocks}.{i}": "disk" if i == 1 else "cpu" for i in range(3)}


@pytest.mark.parametrize("model_type", ["gpt2", "llama"])
def test_weights_kept_elsewhere(offloads: Callable[[Any], Any], model_type: str) -> None:
    model = tiny(model_type)
    offloads(model)
    assert any(weight.is_meta for weight in model.parameters())

    demand_right(model, PATHS[model_type])


def test_weights_sent_elsewhere_after_the_model_was_opened(offloads: Callable[[Any], Any]) -> None:
    model = tiny("llama")
    oracle = Oracle(model, LLAMA)
    demand_answers(model, spec_of(model), oracle)

    offloads(model)

    demand_answers(model, spec_of(model), oracle)


# Adapters.


def adapted(model_type: str, model: Any = None) -> Any:
    import peft

    gpt2 = model_type == "gpt2"
    targets = ["c_attn"] if gpt2 else ["q_proj", "v_proj"]
    config = peft.LoraConfig(r=2, target_modules=targets, init_lora_weights=False, fan_in_fan_out=gpt2)
    with torch.random.fork_rng():
        torch.manual_seed(0)
        return peft.get_peft_model(model if model is not None else tiny(model_type), config).eval()


def within(paths: list[str]) -> list[str]:
    return [f"base_model.model.{path}" for path in paths]


@pytest.mark.parametrize("model_type", ["gpt2", "llama"])
def test_an_adapter_has_addresses_of_its_own(model_type: str) -> None:
    wrapped = adapted(model_type)

    demand_right(wrapped, within(PATHS[model_type]))

    assert spec_of(wrapped).parts["layer_0"].module_path == within(PATHS[model_type])[0]


def test_a_model_opened_before_it_was_wrapped() -> None:
    """The adapter's weights stand inside the model itself, so both are changed."""
    model = tiny("llama")
    bare = Oracle(model, LLAMA)
    demand_answers(model, spec_of(model), bare)

    wrapped = adapted("llama", model)

    assert not torch.equal(answer_of(model), bare.bare)
    demand_right(model, LLAMA)
    demand_right(wrapped, within(LLAMA))


def test_an_adapter_merged_and_unloaded() -> None:
    """An injector or a spec of the wrapper reaches the very same blocks: nothing it does is lost."""
    wrapped = adapted("llama")
    spec = spec_of(wrapped)
    demand_answers(wrapped, spec, Oracle(wrapped, within(LLAMA)))

    merged = wrapped.merge_and_unload()

    oracle = Oracle(merged, LLAMA)
    demand_answers(merged, spec_of(merged), oracle)
    for layer, wanted in zip(LAYERS, oracle.scaled, strict=True):
        with LayerInjector(wrapped) as injector:
            injector.inject_scaling(layer, 0.5)
            assert torch.equal(answer_of(merged), wanted) or torch.equal(answer_of(wrapped), wanted)
    assert torch.equal(asked_at(wrapped, spec, "layer_1", spec.chain), oracle.scaled[1])


# Training.


@pytest.mark.parametrize("reentrant", [True, False])
@pytest.mark.parametrize("model_type", ["gpt2", "llama"])
def test_gradient_checkpointing(model_type: str, reentrant: bool) -> None:
    model = tiny(model_type)
    for module in model.modules():
        if isinstance(module, nn.Dropout):
            module.p = 0.0
    model.gradient_checkpointing_enable(gradient_checkpointing_kwargs={"use_reentrant": reentrant})
    model.train()

    demand_right(model, PATHS[model_type])


def gradient(model: Any) -> Tensor:
    found = model.model.layers[0].mlp.up_proj.weight.grad.clone()
    model.zero_grad()
    return found


def loss_of(model: Any) -> Tensor:
    loss: Tensor = model(prompt(), use_cache=False).logits.sum()
    return loss


@pytest.mark.parametrize("checkpointing", [False, True])
def test_gradients_flow_through_an_edit(llama: Any, checkpointing: bool) -> None:
    if checkpointing:
        llama.train().gradient_checkpointing_enable(gradient_checkpointing_kwargs={"use_reentrant": False})
    loss_of(llama).backward()
    plain = gradient(llama)
    with scaled_by_hand(llama.model.layers[1].self_attn):
        loss_of(llama).backward()
    wanted = gradient(llama)

    with LayerInjector(llama) as injector:
        injector.inject_scaling("attention_1", 0.5)
        loss_of(llama).backward()
    found = gradient(llama)

    assert torch.equal(found, wanted)
    assert not torch.equal(found, plain)


# Compiled code.

COMPILED: dict[str, Callable[[Any], Any]] = {
    "in place": lambda model: [model.compile(backend="eager"), model][1],
    "wrapped": lambda model: torch.compile(model, backend="eager"),
    "its forward": lambda model: [setattr(model, "forward", torch.compile(model.forward, backend="eager")), model][1],
    "one block, in place": lambda model: [model.transformer.h[1].compile(backend="eager"), model][1],
    "one block, wrapped": lambda model: [_replace(model, torch.compile(model.transformer.h[1])), model][1],
    "one block's forward": lambda model: [_compile_forward(model.transformer.h[1]), model][1],
}


def _replace(model: Any, block: Any) -> None:
    model.transformer.h[1] = block


def _compile_forward(block: Any) -> None:
    block.forward = torch.compile(block.forward, backend="eager")


@pytest.mark.parametrize("opened_before", [False, True])
@pytest.mark.parametrize("how", COMPILED)
def test_compiled_code_is_refused(gpt2: Any, how: str, opened_before: bool) -> None:
    if opened_before:
        spec_of(gpt2)
    compiled = COMPILED[how](gpt2)

    with pytest.raises(UnsupportedModelError, match="is compiled"):
        injected(compiled, "attention_1")
    with pytest.raises(UnsupportedModelError, match="is compiled"):
        asked_at(compiled, spec_of(gpt2) if opened_before else spec_of(compiled), "layer_1")


@pytest.mark.parametrize("compiled_before", [False, True])
def test_a_compiled_wrapper_called_inside_a_block_of_the_model_it_wraps(gpt2: Any, compiled_before: bool) -> None:
    torch._dynamo.reset()
    calls = 0

    def counted(graph: Any, inputs: Any) -> Any:
        def run(*args: Any) -> Any:
            nonlocal calls
            calls += 1
            return graph(*args)

        return run

    compiled = torch.compile(gpt2, backend=counted)
    before = answer_of(compiled) if compiled_before else answer_of(gpt2)

    with LayerInjector(gpt2) as injector:
        injector.inject_scaling("attention_1", 0.5)
        wanted = answer_of(gpt2)
        inside, earlier = answer_of(compiled), calls
    after = answer_of(compiled)

    assert torch.equal(inside, wanted)
    assert not torch.equal(inside, before)
    assert torch.equal(after, before)
    assert calls > earlier  # compiled code runs again, by the user's own stance


def test_an_interrupted_block_gives_compiled_code_back(gpt2: Any) -> None:
    compiled = torch.compile(gpt2, backend="eager")
    before = answer_of(compiled)

    def interrupted() -> None:
        with LayerInjector(gpt2) as injector:
            injector.inject_scaling("attention_1", 0.5)
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        interrupted()

    assert torch.equal(answer_of(compiled), before)
    assert torch._dynamo.eval_frame._stance.stance == "default"


# Recorders, quantised, tied and shared weights, several devices.


@pytest.mark.parametrize("model_type", PATHS)
def test_recorders_that_transformers_leaves(model_type: str) -> None:
    """On the model before we come, and put there while a block of ours stands."""
    model, with_states = tiny(model_type), {"output_hidden_states": True, "use_cache": False}
    with torch.no_grad():
        before = model(prompt(), **with_states).hidden_states
    assert hooks_on(model)

    demand_right(model, PATHS[model_type])

    with torch.no_grad():
        after = model(prompt(), **with_states).hidden_states
        fresh = tiny(model_type)
        with LayerInjector(fresh) as injector:
            injector.inject_scaling("layer_1", 0.5)
            inside = fresh(prompt(), **with_states).hidden_states
    assert all(torch.equal(a, b) for a, b in zip(before, after, strict=True))
    assert torch.equal(inside[2], before[2] * 0.5)
    demand_right(fresh, PATHS[model_type])


@pytest.mark.filterwarnings("ignore:torch.ao.quantization")
@pytest.mark.parametrize("opened_before", [False, True])
def test_linear_layers_quantised_as_they_run(llama: Any, opened_before: bool) -> None:
    if opened_before:
        demand_right(llama, LLAMA)
    torch.ao.quantization.quantize_dynamic(llama, {nn.Linear}, dtype=torch.qint8, inplace=True)

    demand_right(llama, LLAMA)

    assert spec_of(llama).parts["ffn_1"].intermediate_dim == 64


@pytest.mark.parametrize("tied", [True, False])
def test_tied_weights(tied: bool) -> None:
    model = tiny("gpt2", tie_word_embeddings=tied)
    assert (model.lm_head.weight is model.transformer.wte.weight) == tied

    demand_right(model, GPT2)

    assert (model.lm_head.weight is model.transformer.wte.weight) == tied


def test_one_block_that_stands_for_all(gpt2: Any) -> None:
    """`layer_1` is its second call; by hand, only that one is scaled."""
    gpt2.transformer.h = nn.ModuleList([gpt2.transformer.h[0]] * 3)
    bare, spec = answer_of(gpt2), spec_of(gpt2)

    for turn, layer in enumerate(LAYERS):
        number = itertools.count()
        handle = gpt2.transformer.h[0].register_forward_hook(
            lambda _, __, output, turn=turn, number=number: (  # type: ignore[misc]
                None if next(number) != turn else output * 0.5 if isinstance(output, Tensor) else (output[0] * 0.5,)
            )
        )
        wanted = answer_of(gpt2)
        handle.remove()
        assert not torch.equal(wanted, bare)
        assert torch.equal(injected(gpt2, layer), wanted)
        for _ in range(3):
            assert torch.equal(asked_at(gpt2, spec, layer, spec.chain), wanted)
    assert torch.equal(answer_of(gpt2), bare)


def test_data_parallel(gpt2: Any) -> None:
    demand_right(nn.DataParallel(gpt2), [f"module.{path}" for path in GPT2])


# Dtypes, devices, modes.


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, torch.float64], ids=str)
@pytest.mark.parametrize("model_type", ["gpt2", "llama"])
def test_other_dtypes(model_type: str, dtype: torch.dtype) -> None:
    demand_right(tiny(model_type).to(dtype), PATHS[model_type])


def test_a_model_whose_dtype_changes_after_it_was_opened(llama: Any) -> None:
    for dtype in (torch.float32, torch.bfloat16, torch.float64, torch.float32):
        llama.to(dtype)
        demand_right(llama, LLAMA)


def test_weights_without_numbers_are_refused(gpt2: Any) -> None:
    with torch.device("meta"):
        empty = type(gpt2)(gpt2.config)
    with pytest.raises(UnsupportedModelError, match="on the meta device"):
        spec_of(empty)

    spec = spec_of(gpt2)
    gpt2.to("meta")
    with pytest.raises(UnsupportedModelError, match="on the meta device"):
        asked_at(gpt2, spec, "layer_1")
    with pytest.raises(UnsupportedModelError, match="on the meta device"):
        injected(gpt2, "layer_1")


MODES = {
    "no_grad": torch.no_grad,
    "enable_grad": torch.enable_grad,
    "inference_mode": torch.inference_mode,
    "autocast": partial(torch.autocast, "cpu", dtype=torch.bfloat16),
}


@pytest.mark.parametrize("mode", MODES)
def test_callers_in_a_mode_of_their_own(llama: Any, mode: str) -> None:
    with MODES[mode]():
        demand_right(llama, LLAMA)


@pytest.mark.parametrize("mode", ["no_grad", "enable_grad", "inference_mode"])
def test_callers_that_come_and_go_between_modes(llama: Any, mode: str) -> None:
    """What was kept in one mode is of use in another, or is left alone."""
    demand_right(llama, LLAMA)
    with MODES[mode]():
        demand_right(llama, LLAMA)
    demand_right(llama, LLAMA)


def test_a_model_made_in_inference_mode() -> None:
    with torch.inference_mode():
        model = tiny("llama")

    demand_right(model, LLAMA)


# Weights that are worked out, or change.


def _halved(model: Any) -> None:
    class Half(nn.Module):
        def forward(self, weight: Tensor) -> Tensor:
            return weight * 0.5

    parametrize.register_parametrization(model.model.layers[1].mlp.up_proj, "weight", Half())


WORKED_OUT: dict[str, Callable[[Any], Any]] = {
    "parametrize": _halved,
    "weight_norm": lambda model: parametrizations.weight_norm(model.model.layers[1].mlp.up_proj),
    "spectral_norm": lambda model: parametrizations.spectral_norm(model.model.layers[0].self_attn.o_proj),
    "weight_norm by a hook": lambda model: torch.nn.utils.weight_norm(model.model.layers[0].mlp.up_proj),
}


@pytest.mark.filterwarnings("ignore:`?torch.nn.utils.weight_norm")
@pytest.mark.parametrize("opened_before", [False, True])
@pytest.mark.parametrize("how", WORKED_OUT)
def test_weights_that_are_worked_out(llama: Any, how: str, opened_before: bool) -> None:
    if opened_before:
        demand_right(llama, LLAMA)
    WORKED_OUT[how](llama)

    demand_right(llama, LLAMA)


def _step(model: Any) -> None:
    optimizer = torch.optim.AdamW([*model.model.layers[0].parameters()], lr=0.1)
    with torch.enable_grad():
        loss_of(model).backward()
    optimizer.step()
    optimizer.zero_grad()


def weight_of(model: Any) -> Any:
    return model.model.layers[0].mlp.up_proj.weight


SEEN: dict[str, Callable[[Any], Any]] = {
    "in place": lambda model: weight_of(model).mul_(1.5),
    "one number": lambda model: weight_of(model)[3, 5].add_(1.0),
    "another tensor": lambda model: setattr(
        model.model.layers[0].mlp.up_proj, "weight", nn.Parameter(weight_of(model) * 2)
    ),
    "other data": lambda model: setattr(weight_of(model), "data", weight_of(model) * 1.5),
    "a view of it": lambda model: weight_of(model).detach().view(-1).mul_(1.5),
    "in inference mode": lambda model: _in_inference_mode(weight_of(model)),
    "a checkpoint": lambda model: model.load_state_dict(tiny("llama", seed=1).state_dict()),
    "an optimiser": _step,
    "a buffer": lambda model: model.model.rotary_emb.inv_freq.mul_(1.1),
    "blocks change places": lambda model: _swap(model.model.layers),
    "another implementation of attention": lambda model: model.set_attn_implementation("eager"),
}  # fmt: skip


def _in_inference_mode(weight: Tensor) -> None:
    with torch.inference_mode():
        weight.mul_(1.5)


def _swap(layers: Any) -> None:
    layers[0], layers[1] = layers[1], layers[0]


@pytest.mark.parametrize("what", SEEN)
def test_what_was_kept_is_not_used_once_the_model_has_changed(llama: Any, what: str) -> None:
    demand_right(llama, LLAMA)
    with torch.no_grad():
        SEEN[what](llama)

    demand_right(llama, LLAMA)


def _patched(model: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    kind = type(model.model.layers[0].mlp)
    own = kind.forward
    monkeypatch.setattr(kind, "forward", lambda self, hidden: own(self, hidden) * 2)


NOT_SEEN: dict[str, Callable[[Any], Any]] = {
    "behind its back, .data": lambda model: weight_of(model).data.mul_(1.5),
    "behind its back, numpy": lambda model: weight_of(model).detach().numpy().__imul__(1.5),
    "a plain number of a module": lambda model: setattr(model.model.layers[0].self_attn, "scaling", 1.0),
    "the epsilon of a norm": lambda model: setattr(model.model.layers[0].input_layernorm, "variance_epsilon", 1.0),
    "another activation": lambda model: setattr(model.model.layers[0].mlp, "act_fn", nn.ReLU()),
}


@pytest.mark.parametrize("what", NOT_SEEN)
def test_what_was_kept_is_not_used_once_the_model_is_another_without_torch_knowing(llama: Any, what: str) -> None:
    demand_right(llama, LLAMA)
    with torch.no_grad():
        NOT_SEEN[what](llama)

    demand_right(llama, LLAMA)


def test_what_was_kept_is_not_used_once_a_class_was_patched(llama: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    demand_right(llama, LLAMA)
    _patched(llama, monkeypatch)

    demand_right(llama, LLAMA)


def test_what_was_kept_without_autocast_is_not_used_under_it(llama: Any) -> None:
    demand_right(llama, LLAMA)

    with MODES["autocast"]():
        demand_right(llama, LLAMA)


def test_what_was_kept_with_an_adapter_is_not_used_without_it() -> None:
    wrapped = adapted("llama")
    demand_right(wrapped, within(LLAMA))

    with wrapped.disable_adapter():
        demand_right(wrapped, within(LLAMA))


def test_what_was_kept_is_not_used_once_an_adapter_with_other_weights_was_merged() -> None:
    wrapped = adapted("llama")
    paths = within(LLAMA)
    with wrapped.disable_adapter():
        spec = spec_of(wrapped)
        demand_answers(wrapped, spec, Oracle(wrapped, paths))
    wrapped.merge_adapter()

    demand_answers(wrapped, spec, Oracle(wrapped, paths), says=close)


def test_the_state_of_a_model_is_the_same_for_as_long_as_nobody_touches_it(llama: Any) -> None:
    before = state_of(llama)
    demand_right(llama, LLAMA)

    assert state_of(llama) == before


def test_a_block_that_was_taken_out_is_an_unknown_part(llama: Any) -> None:
    spec = spec_of(llama)
    llama.model.layers = llama.model.layers[:2]

    with pytest.raises(UnknownPartError, match=r"model\.layers\.2"):
        asked_at(llama, spec, "layer_2")
    assert torch.equal(asked_at(llama, spec, "layer_0"), Oracle(llama, LLAMA[:2]).scaled[0])


# The user's own hooks.


@pytest.mark.parametrize("kind", ["forward hook", "forward pre-hook", "hook with kwargs", "instance forward", "global"])
def test_what_a_user_has_put_on_a_block_is_called_in_every_run(llama: Any, kind: str) -> None:
    """Nothing is answered from what was kept while somebody is watching."""
    demand_right(llama, LLAMA)
    spec, seen, block = spec_of(llama), [0], llama.model.layers[0]
    take_back = _put(kind, block, seen)
    try:
        seen[0] = 0
        for turn in range(4):
            asked_at(llama, spec, "layer_2", spec.chain)
            assert seen[0] == turn + 1
        demand_right(llama, LLAMA)
    finally:
        take_back()
    demand_right(llama, LLAMA)


def _put(kind: str, block: Any, seen: list[int]) -> Callable[[], Any]:
    """Something that counts the calls of one block and, where it can, changes what it says."""

    def count(module: Any, *_: Any) -> None:
        seen[0] += module is block

    def doubled(*args: Any, **kwargs: Any) -> Any:
        seen[0] += 1
        return first_tensor(type(block).forward(block, *args, **kwargs)) * 2

    if kind == "instance forward":
        block.forward = doubled
        return lambda: delattr(block, "forward")
    if kind == "global":
        return torch.nn.modules.module.register_module_forward_hook(count).remove  # type: ignore[no-any-return]
    if kind == "forward pre-hook":
        return block.register_forward_pre_hook(count).remove  # type: ignore[no-any-return]
    return block.register_forward_hook(count, with_kwargs="kwargs" in kind).remove  # type: ignore[no-any-return]


def test_a_users_pre_hook_that_changes_a_block_that_would_be_left_out(llama: Any) -> None:
    demand_right(llama, LLAMA)
    handle = llama.model.layers[0].mlp.register_forward_pre_hook(lambda module, args: (args[0] * 0.5,))
    changed = answer_of(llama)

    demand_right(llama, LLAMA)

    handle.remove()
    assert not torch.equal(answer_of(llama), changed)
    demand_right(llama, LLAMA)


# Generation over all of it.

GENERATING: dict[str, Callable[[], Cell]] = {
    "gpt2": lambda: (tiny("gpt2"), GPT2),
    "half precision": lambda: (tiny("llama").to(torch.bfloat16), LLAMA),
    "adapter": lambda: (adapted("llama"), within(LLAMA)),
    "recorders": lambda: (_recorded(tiny("llama")), LLAMA),
    "checkpointing": lambda: (_checkpointing(tiny("llama")), LLAMA),
    "worked out": lambda: ([model := tiny("llama"), _halved(model)][0], LLAMA),
}


@torch.no_grad()
def _recorded(model: Any) -> Any:
    model(prompt(), output_hidden_states=True)
    return model


def _checkpointing(model: Any) -> Any:
    model.gradient_checkpointing_enable()
    return model


@pytest.mark.parametrize("what", GENERATING)
def test_generation_under_an_edit_is_transformers_own_under_a_hook(what: str) -> None:
    model, paths = GENERATING[what]()
    spec = spec_of(model)
    own = {"max_new_tokens": 3, "min_new_tokens": 3, "do_sample": False, "pad_token_id": 2}

    for path, layer in zip(paths, LAYERS, strict=True):
        with scaled_by_hand(model.get_submodule(path)):
            wanted = model.generate(input_ids=prompt(), attention_mask=torch.ones_like(prompt()), **own)
        assert torch.equal(generated(model, spec, layer), wanted)
        for _ in range(3):
            assert torch.equal(generated(model, spec, layer, spec.chain), wanted)
    assert int(wanted.max()) < VOCAB


def test_every_refusal_is_ours_and_says_what_to_do(gpt2: Any) -> None:
    with pytest.raises(GarageError) as caught:
        spec_of(torch.compile(gpt2, backend="eager"))

    assert str(caught.value).count("\n") == 1
