"""Hollow: a decoder emptied of its blocks and weights. What is left prepares the call of one part.

Attention needs more than hidden states: masks (causal, sliding, padding), rotary angles, positions. Each family
builds these in its own way, so the family's own decoder builds them here, for a block in which the part's place is
empty. When the call reaches the empty place, it has everything the part needs.
"""

from __future__ import annotations

import copy
import inspect
from collections.abc import Iterator
from typing import Any

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn

from ..core.batch import positions_under
from ..errors import UnsupportedModelError
from ..registry.part_spec import PartSpec, PartType
from ..registry.specs import ModelSpec
from .copying import copied

Arguments = tuple[tuple[Any, ...], dict[str, Any]]


class Hollow(nn.Module):
    """Answers the arguments which one part of one block is called with. It has no weights to train."""

    def __init__(self, model: nn.Module, spec: ModelSpec, part: PartSpec) -> None:
        super().__init__()
        self.decoder = _emptied(model, spec, part)
        for module in self.decoder.modules():
            _unlearned(module)

    @torch.no_grad()
    def forward(
        self, hidden: Float[Tensor, "batch seq dim"], attention_mask: Int[Tensor, "batch seq"] | None = None
    ) -> Arguments:
        """Positional and named arguments. Where they hold hidden states, these are not yet the part's own."""
        positions = None if attention_mask is None else positions_under(attention_mask)
        given = {
            "inputs_embeds": hidden.detach(), "attention_mask": attention_mask, "position_ids": positions,
            "use_cache": False,
        }  # fmt: skip
        taken = inspect.signature(self.decoder.forward).parameters
        any_name = any(parameter.kind is inspect.Parameter.VAR_KEYWORD for parameter in taken.values())
        try:
            self.decoder(**{name: value for name, value in given.items() if any_name or name in taken})
        except _Arrived as call:
            return call.args, call.kwargs
        raise UnsupportedModelError(
            f"{type(self.decoder).__name__} does not reach this part from hidden states alone.",
            "Take the whole model, and read or change the part in it.",
        )


class _EmptyPlace(nn.Module):
    """Stands where the part was."""

    def __init__(self, part: nn.Module) -> None:
        super().__init__()
        # Some decoders ask a block for its kind before they call it (`block.attention_type`).
        self.__dict__.update({name: value for name, value in vars(part).items() if isinstance(value, str | int)})

    def forward(self, *args: Any, **kwargs: Any) -> None:
        raise _Arrived(args, kwargs)


class _Arrived(BaseException):
    """The call that reached the empty place. No Exception, so that no family's own `except` stops it."""

    def __init__(self, args: tuple[Any, ...], kwargs: dict[str, Any]) -> None:
        super().__init__(*args)
        self.kwargs = kwargs


class _Unweighted(nn.Identity):
    """Stands for a part that is passed by. Some blocks ask a norm for the dtype of its weight (`norm.weight.dtype`)."""

    def __init__(self, part: nn.Module) -> None:
        super().__init__()
        known = getattr(part, "weight", None)
        if isinstance(known, Tensor):
            self.weight = torch.empty(0, dtype=known.dtype, device=known.device)


class _Nothing(nn.Module):
    """Stands for an embedding: adds zero, whatever is looked up. Some decoders ask it where and what its weight is."""

    def __init__(self, part: nn.Module) -> None:
        super().__init__()
        known = next(part.parameters(), torch.zeros(()))
        here = "cpu" if known.is_meta else known.device  # a part that is built from a file runs on the host
        self.weight = torch.empty(0, dtype=known.dtype, device=here)

    def forward(self, *args: Any, **kwargs: Any) -> Tensor:
        given = next((one for one in (*args, *kwargs.values()) if isinstance(one, Tensor)), self.weight)
        return torch.zeros((), device=given.device)


def _emptied(model: nn.Module, spec: ModelSpec, part: PartSpec) -> nn.Module:
    """A copy of the decoder that holds one block, and in it the empty place."""
    assert part.layer_idx is not None
    block = spec.get_full_layer(part.layer_idx).module_path
    layers = block.rpartition(".")[0]
    decoder = _fed(model, layers)
    if getattr(decoder, "config", None) is None:  # FSMT's
        raise UnsupportedModelError(
            f"{type(decoder).__name__} has no config that could say it has one block.",
            "Read or change the part in the model.",
        )
    instead = dict(_stand_ins(model, spec))
    instead[id(model.get_submodule(part.module_path))] = _EmptyPlace(model.get_submodule(part.module_path))
    instead[id(decoder.config)] = _for_one_block(decoder.config, part.layer_idx)
    instead[id(model.get_submodule(layers))] = nn.ModuleList([copied(model.get_submodule(block), instead)])
    return copied(decoder, instead)


def _unlearned(module: nn.Module) -> None:
    """What the catalogue has no name for may still prepare the call: as constants, which no state dict shows."""
    for name, weight in list(module._parameters.items()):
        if weight is not None:
            del module._parameters[name]
            module.register_buffer(name, weight.detach(), persistent=False)


def _fed(model: nn.Module, layers: str) -> nn.Module:
    """The innermost module around the blocks that takes hidden states in place of token ids."""
    path = layers
    while path:
        path = path.rpartition(".")[0]
        module = model.get_submodule(path)
        if "inputs_embeds" in inspect.signature(module.forward).parameters:
            return module
    raise UnsupportedModelError(
        f"{type(model).__name__} takes token ids only, so what it tells its blocks cannot be had on hidden states.",
        "Read or change the part in the model.",
    )


def _stand_ins(model: nn.Module, spec: ModelSpec) -> Iterator[tuple[int, Any]]:
    """For all that the catalogue names and that has no say in how a block is called."""
    for part in spec.parts.values():
        if part.part_type in (PartType.EMBEDDING, PartType.POSITION_EMBEDDING):
            yield id(model.get_submodule(part.module_path)), _Nothing(model.get_submodule(part.module_path))
        elif part.part_type not in (PartType.ROTARY_EMB, PartType.FULL_LAYER):
            for path in part.extra_info.get("spread", [part.module_path]):
                yield id(model.get_submodule(path)), _Unweighted(model.get_submodule(path))


def _for_one_block(config: Any, layer: int) -> Any:
    """A copy of the config for a decoder that has block `layer` and no other."""
    alone = copy.deepcopy(config)
    try:
        alone.num_hidden_layers = 1
    except NotImplementedError:  # ProphetNet's
        raise UnsupportedModelError(
            f"{type(config).__name__} cannot be said to have one block.", "Read or change the part in the model."
        ) from None
    if layer < len(getattr(alone, "layer_types", None) or ()):
        alone.layer_types = [alone.layer_types[layer]]
    return alone
