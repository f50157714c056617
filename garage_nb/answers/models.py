"""Models: what can be put on the lift by name, with no network."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from ..core.loader import embedded
from ..registry.models import ModelRegistry
from ..registry.specs import ModelSpec
from ..view.bars import Column, Table
from ..view.frames import framed
from ..view.shown import Shown

if TYPE_CHECKING:
    import pandas as pd


@dataclass(frozen=True)
class Known:
    """One name: where it is from, and what it is in one line."""

    name: str
    where: str
    about: str


@dataclass(frozen=True, repr=False)
class Models(Shown):
    models: tuple[Known, ...]

    def frame(self) -> pd.DataFrame:
        """One row a model."""
        rows = [(model.where, model.about) for model in self.models]
        return framed("model", [model.name for model in self.models], ["where", "about"], rows)

    def picture(self) -> Table:
        columns = [
            Column("where", [model.where for model in self.models]),
            Column("what", [model.about for model in self.models]),
        ]
        return Table([model.name for model in self.models], columns, caption="load NAME puts one on the lift")


def known_models() -> Models:
    """The embedded ones, those of the hub's cache, and what else was catalogued; each name once."""
    shelf = [Known(name, "showroom", entry["about"]) for name, entry in embedded().items()]
    registry = ModelRegistry()
    catalogued = [Known(name, "catalogue", _shape(registry.get_spec(name))) for name in registry.list_models()]
    return Models(tuple(_each_once([*shelf, *_cached(), *catalogued])))


def _cached() -> list[Known]:
    """Models of the hub that are on this machine; none where there is no cache."""
    from huggingface_hub import scan_cache_dir
    from huggingface_hub.errors import CacheNotFound

    try:
        found = scan_cache_dir().repos
    except (CacheNotFound, OSError, ValueError):
        return []
    repos = sorted((repo for repo in found if repo.repo_type == "model"), key=lambda repo: repo.repo_id)
    return [Known(repo.repo_id, "hub cache", _contents(repo)) for repo in repos]


def _contents(repo: Any) -> str:
    files = {file.file_name for revision in repo.revisions for file in revision.files}
    if "config.json" not in files:
        return "not a whole model: no config.json"
    if not any(name.endswith(".safetensors") for name in files):
        return "not a whole model: no safetensors"
    return f"{repo.size_on_disk_str} on disk"


def _shape(spec: ModelSpec) -> str:
    return f"{spec.family.value}, {spec.num_layers} layers × {spec.hidden_dim} wide"


def _each_once(models: Iterable[Known]) -> Iterable[Known]:
    first: dict[str, Known] = {}
    for model in models:
        first.setdefault(model.name, model)
    return first.values()
