"""PyTorchExtractor: take a part out of a model and run it on its own."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from torch import nn

from ..core.loader import ModelLoader
from ..registry.models import spec_of
from ..registry.specs import ModelSpec
from .chain import chained, links
from .copying import demand_weights
from .part import ExtractedPart
from .proof import proved
from .source import Source
from .taking import taken
from .wanted import Component, wanted


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

    def extract_component(self, component: Component, layer_idx: int | None = None) -> ExtractedPart:
        """A standalone copy, with its `description`. Attention and whole layers run on hidden states alone.

        `component` is a type with its layer (`"self_attention"`, 3) or a full name (`"attention_3"`). A layer has
        several norms: `"layer_norm"` is its first, the others go by full name; without a layer it is the final one.
        `layer_idx` says nothing about parts a model has once, as the embedding.

        Units of one part go by name (`"attention_3.head_1"`, `"ffn_3.expert_2"`), several as a list of names, as
        `"attention_3.head_0,attention_3.head_2"`, or as `"ffn_3.neurons[0:64,70]"`. They answer their own share of the
        part, without its output bias, before a norm that follows; an expert answers without the router's weight.
        """
        spec = self._spec()
        found = wanted(spec, component, layer_idx)
        model = self.load_model()
        for path in links(spec.parts[found.part]):
            demand_weights(model, path, found.part)
        if "spread" in spec.parts[found.part].extra_info:
            spec = chained(model, spec, found.part)
        taken_out = proved(model, spec.parts[found.part], taken(Source(model, spec), found))
        return taken_out if self.device is None else taken_out.to(self.device)

    def _spec(self) -> ModelSpec:
        own_name = "" if isinstance(self.source, nn.Module) else str(self.source)
        return spec_of(self.load_model(), own_name)
