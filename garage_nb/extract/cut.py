"""Cut: a copied module made smaller, to some of its heads or neurons. Never for the donor itself.

It goes by names and shapes, so that it can be wrong of a module written in an unusual way. Whoever cuts compares what
is left with the whole part.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import Any

import torch
from torch import Tensor, nn

from ..registry.part_spec import PartSpec

_HEADS = ("num_heads", "num_attention_heads", "n_head", "n_heads")
_KV_HEADS = ("num_key_value_heads", "num_kv_heads", "n_kv_heads")
_GROUPS = ("num_key_value_groups", "num_queries_per_kv")
_WIDTHS = ("embed_dim", "hidden_size", "split_size", "all_head_size", "d_model", "inner_dim")
_NEURONS = ("intermediate_size", "intermediate_dim", "ffn_dim", "n_inner", "d_ff", "hidden_features")


class Uncuttable(ValueError):
    """Why it stays whole."""


def orientation(linear: nn.Module) -> int:
    """The dimension of the weight in which its outputs are: 0, or 1 for GPT-2's Conv1D. Uncuttable for others."""
    weight = getattr(linear, "weight", None)
    if type(weight) is not nn.Parameter or weight.ndim != 2 or not weight.is_floating_point():
        raise Uncuttable(f"{type(linear).__name__} holds no plain matrix")
    return 0 if isinstance(linear, nn.Linear) else 1


def cut_to_heads(whole: nn.Module, path: str, part: PartSpec, heads: Sequence[int]) -> None:
    """Queries, keys and values of some heads. Heads that share a key–value head keep one, if all keep as many."""
    count, shared = part.num_heads or 0, part.extra_info.get("num_kv_heads")
    layout = part.extra_info.get("qkv", {})
    if not shared or layout.get("kind") not in ("split", "thirds", "grouped") or count % shared:
        raise Uncuttable("its queries, keys and values cannot be told apart head by head")
    group = count // shared
    used = [head // group for head in heads]
    sharing = {used.count(one) for one in used}
    own = sorted(set(used)) if len(sharing) == 1 else used
    linears = [whole.get_submodule(name.removeprefix(f"{path}.")) for name in layout["from"]]
    rows = _ROWS[layout["kind"]](linears, count, shared, heads, own)
    for linear, places in zip(linears, rows, strict=True):
        _keep_rows(linear, places)
    for name, weight in list(whole._parameters.items()):  # attention sinks: a number for each head
        if weight is not None and tuple(weight.shape) == (count,):
            whole._parameters[name] = _kept(weight, 0, torch.tensor(heads))
    width = (part.head_dim or 0) * count
    _say(whole, _HEADS, count, len(heads))
    _say(whole, _KV_HEADS, shared, len(own))
    _say(whole, _GROUPS, group, len(heads) // len(own))
    _say(whole, _WIDTHS, width, (part.head_dim or 0) * len(heads))


def cut_to_neurons(whole: nn.Module, path: str, part: PartSpec, neurons: Sequence[int]) -> None:
    """The rows of whatever is as wide as the neurons are many, or twice as wide."""
    last = part.extra_info["projection"].removeprefix(f"{path}.")
    for _, linear, rows in rows_of_neurons(whole.named_modules(), last, part.intermediate_dim or 0, neurons):
        _keep_rows(linear, rows)
    _say(whole, _NEURONS, part.intermediate_dim or 0, len(neurons))


def rows_of_neurons(
    modules: Iterable[tuple[str, nn.Module]], last: str, count: int, neurons: Sequence[int]
) -> Iterator[tuple[str, nn.Module, Tensor]]:
    """Of modules by name those that lead to `count` neurons, with the rows that make some of them.

    They are as wide as the neurons are many, or twice as wide: a gate and the way up as one. `last` leads away from
    them. Uncuttable for one that holds no plain matrix.
    """
    own = torch.tensor(neurons)
    for name, linear in modules:
        if name == last or not isinstance(getattr(linear, "weight", None), nn.Parameter) or list(linear.children()):
            continue
        weight = linear.weight
        assert isinstance(weight, Tensor)
        outputs = weight.shape[orientation(linear)] if weight.ndim == 2 else 0
        if outputs in (count, 2 * count):
            yield name, linear, own if outputs == count else torch.cat([own, own + count])


def _split(
    linears: Sequence[nn.Module], count: int, shared: int, heads: Sequence[int], own: Sequence[int]
) -> list[Tensor]:
    queries, keys, values = linears
    return [
        _blocks(heads, _outputs(queries) // count),
        _blocks(own, _outputs(keys) // shared),
        _blocks(own, _outputs(values) // shared),
    ]


def _thirds(
    linears: Sequence[nn.Module], count: int, shared: int, heads: Sequence[int], own: Sequence[int]
) -> list[Tensor]:
    """All queries, then all keys, then all values."""
    keys, values = [count + one for one in own], [count + shared + one for one in own]
    return [_blocks([*heads, *keys, *values], _outputs(linears[0]) // (count + 2 * shared))]


def _grouped(
    linears: Sequence[nn.Module], count: int, shared: int, heads: Sequence[int], own: Sequence[int]
) -> list[Tensor]:
    """For each key–value head its queries, its key, its value."""
    group = count // shared
    each = len(heads) // len(own)
    kept: list[int] = []
    for place, one in enumerate(own):
        first = one * (group + 2)
        kept += [first + head % group for head in heads[place * each : (place + 1) * each]]
        kept += [first + group, first + group + 1]
    return [_blocks(kept, _outputs(linears[0]) // (count + 2 * shared))]


_ROWS = {"split": _split, "thirds": _thirds, "grouped": _grouped}


def _outputs(linear: nn.Module) -> int:
    weight = linear.weight
    assert isinstance(weight, Tensor)
    return weight.shape[orientation(linear)]


def _blocks(numbers: Iterable[int], width: int) -> Tensor:
    return torch.cat([torch.arange(one * width, (one + 1) * width) for one in numbers])


def _keep_rows(linear: nn.Module, rows: Tensor) -> None:
    outputs = orientation(linear)
    for name, weight in list(linear._parameters.items()):
        if weight is not None:
            linear._parameters[name] = _kept(weight, outputs if weight.ndim == 2 else 0, rows)
    _set(vars(linear), ("out_features", "nf"), len(rows))


def _kept(weight: nn.Parameter, dimension: int, places: Tensor) -> nn.Parameter:
    own = weight.detach().index_select(dimension, places.to(weight.device)).clone()
    return nn.Parameter(own, requires_grad=weight.requires_grad)


def _say(whole: nn.Module, names: Iterable[str], before: int, after: int) -> None:
    """What modules and their configs call a number, wherever they say so."""
    for owner in _owners(whole):
        for name in names:
            if type(getattr(owner, name, None)) is int and getattr(owner, name) == before:
                setattr(owner, name, after)


def _owners(whole: nn.Module) -> Iterator[Any]:
    for module in whole.modules():
        if type(module).__module__.startswith("torch."):
            continue
        yield module
        if (config := vars(module).get("config")) is not None:
            yield config


def _set(values: dict[str, Any], names: Iterable[str], number: int) -> None:
    for name in names:
        if name in values:
            values[name] = number
