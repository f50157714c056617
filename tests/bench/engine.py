"""What the engine costs beside the bare model in this process, piece by piece."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import torch

from garage_nb.core.attach import Attached
from garage_nb.core.fingerprint import Fingerprint
from garage_nb.core.sites import Read
from garage_nb.inject.layer import LayerInjector
from garage_nb.registry.decompose import spec_of
from garage_nb.snapshot.capture import SnapshotCapture

from . import survey
from .side_by_side import Ratio, compare

TOKENS, TARGET = 128, 1.15


def measured(name: str, model: Any) -> Iterator[Ratio]:
    ids = torch.randint(0, model.config.vocab_size, (1, TOKENS), generator=torch.Generator().manual_seed(0))
    camera, spec = SnapshotCapture(model), spec_of(model)
    layers = model.config.num_hidden_layers

    @torch.no_grad()
    def bare() -> Any:
        return model(ids, use_cache=False).logits

    @torch.no_grad()
    def without_head() -> Any:
        return model.base_model(ids, use_cache=False)

    def capture() -> Any:
        return camera.run(ids)

    sites = [spec.site(layer) for layer in spec.select("all")]

    def read_nothing() -> Any:
        with Attached(model, [Read(site, lambda hidden: None) for site in sites]):
            return bare()

    def idle_injector() -> Any:
        with LayerInjector(model):
            return bare()

    yield compare(f"{name}: statistics of all layers / bare forward", bare, capture, pairs=24, target=TARGET)
    yield compare(f"{name}: the same / forward without the head", without_head, capture, pairs=24)
    yield compare(f"{name}: {layers} empty readers / bare forward", bare, read_nothing, pairs=12)
    Fingerprint.of(model)
    yield compare(f"{name}: idle LayerInjector, after verify / bare", bare, idle_injector, pairs=12)

    def set_and_remove() -> None:
        with Attached(model, [Read(site, lambda hidden: None) for site in sites]):
            pass

    yield compare(f"{name}: {layers} hooks set and removed / bare forward", bare, set_and_remove, pairs=12)
    yield from survey.measured(name, model)
