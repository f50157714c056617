"""PyTorchExtractor: take a part out of a model and run it on its own."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from torch import nn

from ..core.loader import ModelLoader
from ..core.parts import parse
from ..errors import InputError
from ..registry.models import spec_of
from ..registry.part_spec import PartType
from ..registry.specs import ModelSpec
from .copying import copied, demand_weights
from .hollow import Hollow
from .part import ContextPart, ExtractedPart, FreePart, PartDescription
from .proof import prove

_ONCE = (PartType.EMBEDDING, PartType.POSITION_EMBEDDING, PartType.OUTPUT_HEAD, PartType.ROTARY_EMB)
_IN_CONTEXT = (PartType.ATTENTION, PartType.CROSS_ATTENTION, PartType.MIXER, PartType.FULL_LAYER)


class PyTorchExtractor:
    """Takes copies of parts out of one model, which stays as it is.

    `source` is an embedded name, a folder, a hub id, or a live model. Parts land on `device`; on the model's own when
    None.
    """

    def __init__(self, source: str | Path | nn.Module, device: str | None = None) -> None:
        self.source, self.device = source, device
        self._model: Any = None

    def load_model(self) -> Any:
        """Load the model, once, and return it. Extracting does this too when it has not been done."""
        if self._model is None:
            self._model = ModelLoader(device=self.device).load(self.source)[0]
        return self._model

    def list_components(self) -> list[str]:
        """Names of every part that can be taken out, bottom to top."""
        return list(self._spec().parts)

    def extract_component(self, component: str | PartType, layer_idx: int | None = None) -> ExtractedPart:
        """A standalone copy, with its `description`. Attention and whole layers run on hidden states alone.

        `component` is a type with its layer (`"self_attention"`, 3) or a full name (`"attention_3"`). A layer has
        several norms: `"layer_norm"` is its first, the others go by full name; without a layer it is the final one.
        `layer_idx` says nothing about parts a model has once, as the embedding.
        """
        spec = self._spec()
        name = spec.name(_asked(spec, component, layer_idx))
        part, address = spec.part(name), parse(name)
        if address is not None and address.unit is not None:
            raise InputError(f"{name} is no module of its own.", f"Take the whole part out: {address.whole}.")
        if "spread" in part.extra_info:
            raise InputError(
                f"{name} is no module of its own: it is {', '.join(part.extra_info['spread'])}.",
                f"Take the whole layer out: layer_{part.layer_idx}.",
            )
        model = self.load_model()
        module = model.get_submodule(part.module_path)
        demand_weights(module, name)
        description = PartDescription(
            model_id=spec.model_id, name=name, family=spec.family, input_dim=part.input_dim,
            output_dim=part.output_dim, max_seq_len=spec.max_seq_len, tied=_tied(model, spec, part.module_path),
            parameters=sum(parameter.numel() for parameter in module.parameters()),
        )  # fmt: skip
        if part.part_type in _IN_CONTEXT:
            taken: ExtractedPart = ContextPart(copied(module), description, Hollow(model, spec, part))
            prove(model, part, taken)
        else:
            taken = FreePart(copied(module), description)
        taken.eval()
        return taken if self.device is None else taken.to(self.device)

    def _spec(self) -> ModelSpec:
        own_name = "" if isinstance(self.source, nn.Module) else str(self.source)
        return spec_of(self.load_model(), own_name)


def _asked(spec: ModelSpec, component: str | PartType, layer: int | None) -> str:
    """The name that a component and a layer spell together."""
    try:
        kind = PartType(component)
    except ValueError:
        if layer is not None:
            raise InputError(
                f"{component!r} with layer_idx={layer} is no type of part.",
                f"Types are {', '.join(kind.value for kind in PartType)}; a full name comes without layer_idx.",
            ) from None
        return str(component)
    if kind in _ONCE:
        return kind.value
    if kind is PartType.LAYER_NORM:
        return "layer_norm_final" if layer is None else _first_norm(spec, layer)
    if layer is None:
        raise InputError(f"Every layer has its own {kind.value}.", "Say which one: layer_idx=0, or -1 for the last.")
    return f"{kind.value}_{layer}"


def _first_norm(spec: ModelSpec, layer: int) -> str:
    index = spec.get_full_layer(layer).layer_idx
    norms = (name for name, part in spec.parts.items() if part.part_type is PartType.LAYER_NORM)
    return next((name for name in norms if spec.parts[name].layer_idx == index), f"layer_norm_{layer}")


def _tied(model: nn.Module, spec: ModelSpec, path: str) -> str:
    """Which weights of the module at `path` are also another's in the model, in words."""
    own = {id(parameter): name for name, parameter in model.get_submodule(path).named_parameters()}
    shared = [
        f"its {own[id(parameter)]} is also that of {spec.name(elsewhere.rpartition('.')[0])} in the model"
        for elsewhere, parameter in model.named_parameters(remove_duplicate=False)
        if id(parameter) in own and not elsewhere.startswith(f"{path}.")
    ]
    return f"{', '.join(shared)}, but here it is on its own" if shared else ""
