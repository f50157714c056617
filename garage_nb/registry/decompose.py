"""ModelDecomposer: how a model becomes a spec. The built-in one probes; subclass it to teach something odd."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import Any
from weakref import WeakKeyDictionary

from torch import nn

from ..core.sites import module_at
from ..errors import UnsupportedModelError
from .part_spec import PartSpec
from .probe.catalogue import probe
from .specs import ModelSpec


class ModelDecomposer(ABC):
    """One way to open models. `teach(MyDecomposer())` puts it before the built-in one."""

    @abstractmethod
    def detect(self, model: Any) -> bool:
        """Whether this decomposer knows the model."""

    @abstractmethod
    def decompose(self, model: Any, model_id: str) -> ModelSpec:
        """The catalogue of a model that `detect` accepted."""

    def get_module(self, model: nn.Module, part: PartSpec) -> nn.Module:
        return module_at(model, part.module_path)


class ProbeDecomposer(ModelDecomposer):
    """Opens whatever runs on token ids, by watching it."""

    def detect(self, model: Any) -> bool:
        return isinstance(model, nn.Module)

    def decompose(self, model: Any, model_id: str) -> ModelSpec:
        return probe(model, model_id)


_DECOMPOSERS: list[ModelDecomposer] = [ProbeDecomposer()]
_SPECS: WeakKeyDictionary[nn.Module, ModelSpec] = WeakKeyDictionary()


def teach(decomposer: ModelDecomposer) -> None:
    """Ask this decomposer first from now on."""
    _DECOMPOSERS.insert(0, decomposer)


def decomposer_for(model: Any) -> ModelDecomposer:
    """The first that knows the model. UnsupportedModelError for what is no module at all."""
    for decomposer in _DECOMPOSERS:
        if decomposer.detect(model):
            return decomposer
    raise UnsupportedModelError(f"{type(model).__name__} is no model.", "Give a torch module that reads token ids.")


def spec_of(model: Any, model_id: str = "") -> ModelSpec:
    """The model's spec, worked out once per live model unless another id is asked for."""
    known = _SPECS.get(model)
    if known is not None and model_id in ("", known.model_id):
        return known
    decomposer = decomposer_for(model)
    name = model_id or getattr(getattr(model, "config", None), "name_or_path", "") or type(model).__name__
    spec = decomposer.decompose(model, name)
    _SPECS[model] = spec
    return spec


def known_as(model: nn.Module, spec: ModelSpec) -> None:
    """It need not be worked out: it is that of the same model, opened elsewhere."""
    _SPECS[model] = spec
