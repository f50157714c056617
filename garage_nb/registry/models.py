"""ModelRegistry: specs of the models you opened, kept on disk by id and by anatomy."""

from __future__ import annotations

import math
from dataclasses import replace
from pathlib import Path
from typing import Any
from weakref import WeakValueDictionary

from torch import nn

from ..core.family import ModelFamily, family_of, text_config
from ..core.loader import ModelLoader, embedded
from ..errors import ModelNotFoundError, nearest
from .anatomy import anatomy_of
from .compare import Compatibility, compare
from .decompose import ModelDecomposer, ProbeDecomposer, decomposer_for, spec_of, teach
from .part_spec import PartSpec, PartType
from .specs import ModelSpec
from .store import Key, SpecStore
from .tokens import tokenizer_fingerprint

__all__ = ["ModelDecomposer", "ModelFamily", "ModelRegistry", "ModelSpec", "PartSpec", "PartType", "spec_of", "teach"]


class ModelRegistry:
    """Specs by model id. Live models are remembered weakly, so a registry never keeps one in memory."""

    def __init__(self, cache_dir: str | Path | None = None) -> None:
        """`cache_dir` defaults to the user's cache folder."""
        self._store = SpecStore(cache_dir)
        self._live: WeakValueDictionary[str, nn.Module] = WeakValueDictionary()

    def register(self, model_id: str, model: Any, tokenizer: Any = None) -> ModelSpec:
        """Open `model`, store its spec under `model_id` and return it. A tokenizer lets `compare` judge embeddings.

        A model of an anatomy seen before is not probed again. SpecFileError when the spec cannot be stored.
        """
        spec = self._opened(model, model_id)
        if tokenizer is not None:
            spec = replace(spec, extra_info={**spec.extra_info, "tokenizer": tokenizer_fingerprint(tokenizer)})
        self._store.save(_by_id(model_id), spec)
        self._live[model_id] = model
        return spec

    def detect_family(self, model: Any) -> ModelFamily:
        return family_of(text_config(model))

    def get_spec(self, model_id: str) -> ModelSpec:
        """The stored spec; embedded models are opened on first use.

        ModelNotFoundError for an id never registered, SpecFileError for one whose file is damaged.
        """
        if model_id in embedded():
            return self._store.load(_by_id(model_id)) or self._embedded(model_id)
        spec = self._store.read(_by_id(model_id))
        if spec is None:
            raise ModelNotFoundError(
                f"No model is registered as {model_id!r}.",
                f"Call register(id, model) first. Known: {nearest(model_id, [*self.list_models(), *embedded()])}.",
            )
        return spec

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
        filed = self._store.keys()
        return [key.text for key in filed if key == _by_id(key.text)]

    def list_parts(self, model_id: str, part_type: PartType | str | None = None) -> list[str]:
        parts = self.get_spec(model_id).parts
        return [name for name, part in parts.items() if part_type is None or part.part_type is PartType(part_type)]

    def compare(self, a: str, b: str) -> Compatibility:
        """Both models side by side, and which kinds of parts would run in either: as they are, adapted, or not."""
        return compare(self.get_spec(a), self.get_spec(b))

    def _embedded(self, model_id: str) -> ModelSpec:
        model, tokenizer, _ = ModelLoader(device="cpu").load(model_id)
        return self.register(model_id, model, tokenizer)

    def _opened(self, model: Any, model_id: str) -> ModelSpec:
        """From the store for a known anatomy, else probed now: `spec_of` may remember what the model was before."""
        decomposer = decomposer_for(model)
        if not isinstance(decomposer, ProbeDecomposer):  # what was taught can change, so it is asked each time
            return decomposer.decompose(model, model_id)
        anatomy = Key("anatomy", anatomy_of(model))
        known = self._store.load(anatomy)
        if known is not None:
            return replace(known, model_id=model_id)
        spec = decomposer.decompose(model, model_id)
        if _is_lasting(spec):
            self._store.save(anatomy, spec)
        return spec


def _by_id(model_id: str) -> Key:
    return Key("id", model_id)


def _is_lasting(spec: ModelSpec) -> bool:
    """Whether it holds for other weights: where NaN or infinity ran through the probe, nothing could be proved."""
    return all(proof.error is None or math.isfinite(proof.error) for proof in spec.proofs)
