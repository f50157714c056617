"""Heads and neurons are the numbers that enter the last projection, and editing them is editing its weight."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import Tensor
from torch.nn import functional as F

from garage_nb.inject.layer import LayerInjector
from garage_nb.registry.decompose import spec_of
from garage_nb.snapshot.capture import SnapshotCapture
from tests.coverage.zoo import inputs
from tests.families import prompt, tiny

from .models import called, fresh, opened, seen, without_columns
from .rows import Attention, Family, Feed
from .table import FAMILIES

ALIKE = {"atol": 1e-5, "rtol": 1e-4}
FIRST = {family.entry: family for family in FAMILIES if not family.stack and family.entry != "masked-albert"}
WITH_HEADS = [family for family in FIRST.values() if "attention" in family.halves]
WITH_NEURONS = [
    family for family in FIRST.values() if isinstance(family.halves.get("ffn"), Feed) and family.halves["ffn"].enters
]


def named(family: Family) -> str:
    return family.entry


def captured(model: Any, *names: str) -> dict[str, Tensor]:
    shots = SnapshotCapture(model).run(inputs(model), layers=list(names), keep=True)
    return {name: shots[name].hidden for name in names}  # type: ignore[misc]


@pytest.mark.parametrize("family", WITH_HEADS, ids=named)
def test_heads_are_what_enters_the_output_projection(family: Family) -> None:
    model, _ = opened(family.entry)
    half = family.halves["attention"]
    assert isinstance(half, Attention)
    at, door = f"attention_{family.layer}", f">{family.path(half.enters)}"

    own = captured(model, f"{at}.heads", f"{at}.head_2")
    whole = seen(model, door)[door]

    assert torch.equal(own[f"{at}.heads"], whole)
    assert torch.equal(own[f"{at}.head_2"], whole[..., 2 * half.head_dim : 3 * half.head_dim])


@pytest.mark.parametrize("family", WITH_HEADS, ids=named)
def test_a_head_taken_out_is_its_columns_zeroed(family: Family) -> None:
    model = fresh(family.entry)
    half = family.halves["attention"]
    assert isinstance(half, Attention)
    before = called(model)

    with LayerInjector(model) as injector:
        injector.inject_scaling(f"attention_{family.layer}.head_1", 0.0)
        edited = called(model)
    without_columns(model, family.path(half.enters), slice(half.head_dim, 2 * half.head_dim))

    assert torch.allclose(edited, called(model), **ALIKE)
    assert not torch.allclose(edited, before, **ALIKE)


@pytest.mark.parametrize("family", WITH_NEURONS, ids=named)
def test_neurons_are_what_enters_the_down_projection(family: Family) -> None:
    model, _ = opened(family.entry)
    at, door = f"ffn_{family.layer}", f">{family.path(family.halves['ffn'].enters)}"

    own = captured(model, f"{at}.neurons", f"{at}.neuron_5")
    whole = seen(model, door)[door]

    assert torch.equal(own[f"{at}.neurons"], whole)
    assert torch.equal(own[f"{at}.neuron_5"], whole[..., 5:6])


@pytest.mark.parametrize("family", WITH_NEURONS, ids=named)
def test_a_neuron_taken_out_is_its_column_zeroed(family: Family) -> None:
    model, at = fresh(family.entry), f"ffn_{family.layer}"
    door = f">{family.path(family.halves['ffn'].enters)}"
    strongest = int(
        seen(model, door)[door].reshape(-1, spec_of(model).parts[at].intermediate_dim).abs().sum(0).argmax()
    )
    before = called(model)

    with LayerInjector(model) as injector:
        injector.inject_scaling(f"{at}.neuron_{strongest}", 0.0)
        edited = called(model)
    without_columns(model, door[1:], slice(strongest, strongest + 1))

    assert torch.allclose(edited, called(model), **ALIKE)
    assert not torch.allclose(edited, before, **ALIKE)


FUSED = {
    "gpt2": {},
    "phi3": {},
    "gpt_neox": {},
    "bloom": {},
    "mpt": {},
    "falcon": {},
    "falcon-new": {"new_decoder_architecture": True, "num_kv_heads": 2},
    "falcon-old": {"multi_query": False},
}


@pytest.mark.parametrize("case", FUSED)
def test_the_layout_of_a_fused_projection(case: str) -> None:
    """With the values of one key-value head zeroed where the layout says they are, just its heads give nothing."""
    model = tiny(case.partition("-")[0], **_sizes(case), **FUSED[case])
    part = spec_of(model).get_attention(0)
    kv, dim, count = part.extra_info["num_kv_heads"], part.head_dim, part.num_heads
    assert dim is not None
    assert count is not None
    door = part.extra_info["projection"]

    _forget_value(model.get_submodule(part.extra_info["qkv"]["from"][0]), part.extra_info["qkv"]["kind"], kv, dim, 0)
    entering = _entering(model, door).reshape(-1, count, dim)

    silent = [not bool(entering[:, head].any()) for head in range(count)]
    assert silent == [head < count // kv for head in range(count)]


def _sizes(case: str) -> dict[str, Any]:
    """These two know other names than the common ones."""
    return {"mpt": {"d_model": 32, "n_heads": 4, "n_layers": 3}, "bloom": {"n_head": 4}}.get(case, {})


@torch.no_grad()
def _forget_value(projection: Any, kind: str, kv: int, dim: int, head: int) -> None:
    if type(projection).__name__ == "Conv1D":
        rows, bias = projection.weight.T, projection.bias
    else:
        rows, bias = projection.weight, projection.bias
    width = rows.shape[0]
    if kind == "thirds":
        start = width - kv * dim + head * dim
    else:
        assert kind == "grouped"
        start = (head + 1) * (width // kv) - dim
    rows[start : start + dim] = 0
    if bias is not None:
        bias[start : start + dim] = 0


def _entering(model: Any, path: str) -> Tensor:
    found: list[Tensor] = []
    handle = model.get_submodule(path).register_forward_pre_hook(lambda _, args: found.append(args[0].clone()))
    with torch.no_grad():
        model(prompt(), use_cache=False)
    handle.remove()
    return found[0]


NOT_SIDE_BY_SIDE = ("causal-diffllama", "masked-mobilebert", "causal-zamba", "causal-zamba2")


@pytest.mark.parametrize(
    "entry",
    [
        "causal-llama",
        "causal-gpt2",
        "causal-phi3",
        "causal-falcon",
        "causal-gpt_neox",
        "causal-gemma3_text",
        "causal-afmoe",
        "causal-qwen3_5_text",
        "causal-deepseek_v3",
        "masked-bert",
        *NOT_SIDE_BY_SIDE,
    ],
)
def test_a_change_to_one_head_shows_in_its_columns_alone(entry: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """What torch's own attention kernel gives for one head is made larger, in the first block that attends."""
    model, spec = opened(entry)
    part = next((part for part in spec.all_attention_parts() if part.count_of("head")), None)
    if part is None:
        assert entry in NOT_SIDE_BY_SIDE  # heads that are said to be unknown are not wrong
        return
    assert part.num_heads is not None

    bare, *larger = (
        _first_entering(model, part.extra_info["projection"], monkeypatch, head)
        for head in (None, *range(part.num_heads))
    )

    for head, entering in enumerate(larger):
        changed = (entering - bare).reshape(-1, part.num_heads, part.head_dim).abs().amax((0, 2))
        assert [bool(change) for change in changed] == [other == head for other in range(part.num_heads)]


@pytest.mark.parametrize(
    ("entry", "place"),
    [
        ("causal-bloom", "attention_0"),
        ("causal-gemma2", "attention_0"),
        ("seq2seq-fsmt", "encoder_attention_0"),
        ("masked-longformer", "attention_0"),
        ("masked-convbert", "attention_0"),
        ("seq2seq-led", "encoder_attention_0"),
        ("seq2seq-longt5", "encoder_attention_0"),
    ],
)
def test_as_many_heads_as_the_config_says_or_none(entry: str, place: str) -> None:
    model, spec = opened(entry)
    config = model.config
    count = config.encoder_attention_heads if hasattr(config, "encoder_attention_heads") else config.num_attention_heads

    assert spec.parts[place].count_of("head") in (None, count)


def _first_entering(model: Any, path: str, monkeypatch: pytest.MonkeyPatch, head: int | None) -> Tensor:
    """What enters `path` the first time, when the first attention kernel to run gives that head half as much again."""
    kernel, ran = F.scaled_dot_product_attention, []

    def larger(*args: Any, **options: Any) -> Tensor:
        output = kernel(*args, **options)
        ran.append(1)
        if head is None or len(ran) > 1:
            return output
        scale = torch.ones(output.shape[1]).index_fill(0, torch.tensor(head), 1.5)
        return output * scale[:, None, None]

    with monkeypatch.context() as patch:
        patch.setattr(F, "scaled_dot_product_attention", larger)
        entering = seen(model, f">{path}")[f">{path}"]
    assert ran
    return entering
