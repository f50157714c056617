"""Open the hood on a transformer, inside a notebook.

This file is the table of contents: every public name loads on first use, so that importing the package, or
`%load_ext garage_nb`, does not import torch.
"""

from __future__ import annotations

from importlib import import_module
from typing import Any

__version__ = "0.1.0"

_WHERE = {
    "Adapt": "compose.graft",
    "BuildSheet": "compose.sheet",
    "Garage": "garage",
    "GarageError": "errors",
    "HookManager": "core.hooks",
    "LayerInjector": "inject.layer",
    "LayerPicker": "widgets.picker",
    "Merge": "compose.graft",
    "ModelDecomposer": "registry.models",
    "ModelFamily": "registry.models",
    "ModelLoader": "core.loader",
    "ModelRegistry": "registry.models",
    "ModelSpec": "registry.models",
    "PartSpec": "registry.models",
    "PartType": "registry.models",
    "PyTorchExtractor": "extract.pytorch",
    "Recipe": "inject.recipe",
    "SelfDebate": "inject.debate",
    "SnapshotCapture": "snapshot.capture",
    "Stack": "compose.graft",
    "Swap": "compose.graft",
    "TensorUtils": "core.tensor",
    "load_part": "extract.shelf.loading",
    "open_result": "view.saved",
    "quick_load": "core.loader",
    "save_part": "extract.shelf.saving",
    "shelf": "extract.shelf.shelf",
}

__all__ = [*_WHERE, "load_ipython_extension", "unload_ipython_extension"]


def __getattr__(name: str) -> Any:
    if name not in _WHERE:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{_WHERE[name]}"), name)


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})


def load_ipython_extension(shell: Any) -> None:
    """`%load_ext garage_nb`."""
    from .magics.extension import load

    load(shell)


def unload_ipython_extension(shell: Any) -> None:
    """`%unload_ext garage_nb`."""
    from .magics.extension import unload

    unload(shell)
