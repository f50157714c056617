"""Which modules are the blocks: lists whose members ran one after the other, voted on by what their classes say."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

from torch import nn

from ...core.family import text_config
from .flow import Flow
from .halves import Block
from .tape import Call

LISTS = (nn.ModuleList, nn.Sequential)


@dataclass(frozen=True)
class Stack:
    """Calls of blocks in the order they ran. A shared block has several calls here."""

    path: str
    calls: tuple[Call, ...]
    votes: int
    inner: bool = False  # a Sequential: blocks are rather kept in a ModuleList


def stacks(model: Any, flow: Flow) -> list[Stack]:
    """Every chain of blocks that ran, best first; chains inside a better one are left out."""
    found = sorted(_chains(model, flow), key=lambda stack: (-stack.votes, stack.inner, -len(stack.calls), stack.path))
    kept: list[Stack] = []
    for stack in found:
        if not any(_overlap(stack, better) for better in kept):
            kept.append(stack)
    return kept


def numbered(stack: Stack, model: nn.Module) -> list[tuple[str, Call | None]]:
    """Path and call of every block, by number: its place in the ModuleList. One that did not run has no call.

    Where blocks run twice, or in another order than they are kept in, the calls are numbered.
    """
    ran = {call.name: call for call in stack.calls}
    kept = list(model.get_submodule(stack.path)._modules)
    if stack.inner or [name for name in kept if name in ran] != [call.name for call in stack.calls]:
        return [(call.path, call) for call in stack.calls]
    return [(f"{stack.path}.{name}", ran.get(name)) for name in kept]


def _chains(model: Any, flow: Flow) -> Iterator[Stack]:
    calls: dict[str, list[Call]] = {}
    for call in flow.tape.calls:
        calls.setdefault(call.path.rpartition(".")[0], []).append(call)
    for path, module in model.named_modules():
        if isinstance(module, LISTS) and _is_chain(flow, members := calls.get(path, [])):
            yield Stack(path, tuple(members), _votes(model, flow, module, members), isinstance(module, nn.Sequential))


def _is_chain(flow: Flow, calls: list[Call]) -> bool:
    if not calls or any(call.entered is None or call.left is None for call in calls):
        return False
    return all(_leads(flow, a, b) for a, b in pairwise(calls))


def _leads(flow: Flow, a: Call, b: Call) -> bool:
    """Whether what left `a` is among what entered `b`, whatever was done to it in between."""
    assert a.left is not None
    if b.began < a.ended:
        return False
    entering = set(b.given.values())
    steps = (flow.leading_to(value, (a.left,), a.ended).values() for value in entering)
    return a.left in entering or any(a.left in step.inputs for found in steps for step in found)


def _votes(model: Any, flow: Flow, blocks: nn.Module, calls: list[Call]) -> int:
    """One vote each for: a sum of its input leaves it; recorded as hidden states; checkpointed; not split; counted."""
    from transformers.modeling_layers import GradientCheckpointingLayer

    first = calls[0].module
    counted = getattr(text_config(model), "num_hidden_layers", None)
    return sum(
        [
            bool(Block(flow, calls[0]).sums) * 2,
            isinstance(first, recorded(model, "hidden_states")),
            isinstance(first, GradientCheckpointingLayer),
            type(first).__name__ in (getattr(model, "_no_split_modules", None) or ()),
            len(calls) == counted,
        ]
    )


def recorded(model: Any, output: str) -> tuple[type, ...]:
    """The classes that transformers records as `output` ("hidden_states", "attentions", "router_logits")."""
    found: list[type] = []
    for module in (model, *model.children(), getattr(model, "base_model", model)):
        wanted = (getattr(module, "_can_record_outputs", None) or {}).get(output, ())
        for item in wanted if isinstance(wanted, list | tuple) else [wanted]:
            target = getattr(item, "target_class", item)
            if isinstance(target, type):
                found.append(target)
    return tuple(found)


def _overlap(a: Stack, b: Stack) -> bool:
    return any(one.holds(other.began) or other.holds(one.began) for one in a.calls for other in b.calls)
