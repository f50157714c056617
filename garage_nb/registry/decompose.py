"""ModelDecomposer: how a model becomes a spec. The built-in one reads layouts; subclass it to teach something odd."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import Any
from weakref import WeakKeyDictionary

from torch import nn

from ..core.sites import module_at
from ..errors import UnsupportedModelError
from .families import BY_MODEL_TYPE
from .layout import catalogue
from .specs import ModelSpec, PartSpec


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


class LayoutDecomposer(ModelDecomposer):
    """Opens the families whose layout is written down."""

    def detect(self, model: Any) -> bool:
        return _model_type(model) in BY_MODEL_TYPE

    def decompose(self, model: Any, model_id: str) -> ModelSpec:
        return catalogue(model, model_id, BY_MODEL_TYPE[_model_type(model)])


_DECOMPOSERS: list[ModelDecomposer] = [LayoutDecomposer()]
_SPECS: WeakKeyDictionary[nn.Module, ModelSpec] = WeakKeyDictionary()


def teach(decomposer: ModelDecomposer) -> None:
    """Ask this decomposer first from now on."""
    _DECOMPOSERS.insert(0, decomposer)


def decomposer_for(model: Any) -> ModelDecomposer:
    for decomposer in _DECOMPOSERS:
        if decomposer.detect(model):
            return decomposer
    raise UnsupportedModelError(
        f"{type(model).__name__} ({_model_type(model) or 'no model_type'}) is not among the families opened so far.",
        f"Opened: {', '.join(BY_MODEL_TYPE)}. Teach another with a ModelDecomposer.",
    )


def spec_of(model: Any, model_id: str = "") -> ModelSpec:
    """The model's spec, worked out once per live model unless another id is asked for."""
    known = _SPECS.get(model)
    if known is not None and model_id in ("", known.model_id):
        return known
    decomposer = decomposer_for(model)
    name = model_id or getattr(model.config, "name_or_path", "") or type(model).__name__
    spec = decomposer.decompose(model, name)
    _SPECS[model] = spec
    return spec


def _model_type(model: Any) -> str:
    config = getattr(model, "config", None)
    return str(getattr(config.get_text_config(), "model_type", "")) if config is not None else ""
