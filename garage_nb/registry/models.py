"""ModelRegistry: specs of the models you opened, kept on disk by id."""

from __future__ import annotations

import hashlib
import json
from dataclasses import replace
from pathlib import Path
from typing import Any
from weakref import WeakValueDictionary

from torch import nn

from ..core.family import ModelFamily, family_of
from ..core.loader import ModelLoader, embedded
from ..errors import ModelNotFoundError, nearest
from .compare import compare
from .decompose import ModelDecomposer, decomposer_for, spec_of, teach
from .specs import ModelSpec, PartSpec, PartType
from .store import SpecStore

__all__ = ["ModelDecomposer", "ModelFamily", "ModelRegistry", "ModelSpec", "PartSpec", "PartType", "spec_of", "teach"]


class ModelRegistry:
    """Specs by model id. Live models are remembered weakly, so a registry never keeps one in memory."""

    def __init__(self, cache_dir: str | Path | None = None) -> None:
        """`cache_dir` defaults to the user's cache folder."""
        self._store = SpecStore(cache_dir)
        self._live: WeakValueDictionary[str, nn.Module] = WeakValueDictionary()

    def register(self, model_id: str, model: Any, tokenizer: Any = None) -> ModelSpec:
        """Open `model`, store its spec under `model_id` and return it. A tokenizer lets `compare` judge embeddings."""
        spec = spec_of(model, model_id)
        if tokenizer is not None:
            spec = replace(spec, extra_info={**spec.extra_info, "tokenizer": tokenizer_fingerprint(tokenizer)})
        self._store.save(spec)
        self._live[model_id] = model
        return spec

    def detect_family(self, model: Any) -> ModelFamily:
        return family_of(model.config.get_text_config())

    def get_spec(self, model_id: str) -> ModelSpec:
        """The stored spec; embedded models are opened on first use. ModelNotFoundError for an id never registered."""
        spec = self._store.load(model_id)
        if spec is not None:
            return spec
        if model_id not in embedded():
            raise ModelNotFoundError(
                f"No model is registered as {model_id!r}.",
                f"Call register(id, model) first. Known: {nearest(model_id, [*self.list_models(), *embedded()])}.",
            )
        model, tokenizer, _ = ModelLoader(device="cpu").load(model_id)
        return self.register(model_id, model, tokenizer)

    def get_part(self, model_id: str, name: str) -> PartSpec:
        return self.get_spec(model_id).part(name)

    def get_module(self, model_id: str, name: str) -> nn.Module:
        """The live module of a part. The model must have been registered in this session and still be in memory."""
        model = self._live.get(model_id)
        if model is None:
            raise ModelNotFoundError(
                f"The model {model_id!r} is not in memory.", "Call register(id, model) with the live model."
            )
        return decomposer_for(model).get_module(model, self.get_part(model_id, name))

    def list_models(self) -> list[str]:
        return self._store.ids()

    def list_parts(self, model_id: str, part_type: PartType | str | None = None) -> list[str]:
        parts = self.get_spec(model_id).parts
        return [name for name, part in parts.items() if part_type is None or part.part_type is PartType(part_type)]

    def compare(self, a: str, b: str) -> dict[str, Any]:
        """Both specs side by side and the part types that would run in either, with reasons for the rest."""
        return compare(self.get_spec(a), self.get_spec(b))


def tokenizer_fingerprint(tokenizer: Any) -> str:
    """Equal for tokenizers that give every text the same ids."""
    words = json.dumps(sorted(tokenizer.get_vocab().items(), key=lambda item: item[1]))
    return hashlib.sha256(words.encode("utf-8", "surrogatepass")).hexdigest()[:16]
