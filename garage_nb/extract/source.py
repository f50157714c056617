"""Source: the live model that parts are taken from, and copies of its modules. The model stays as it is."""

from __future__ import annotations

from dataclasses import dataclass

from torch import Tensor, nn

from ..core.offloaded import brought, fill
from ..registry.part_spec import PartSpec
from ..registry.specs import ModelSpec
from .chain import Chain, home, links
from .copying import copied


@dataclass(frozen=True)
class Source:
    """A live model and its catalogue."""

    model: nn.Module
    spec: ModelSpec

    def copy(self, path: str) -> nn.Module:
        """Of one module, with the weights that accelerate keeps elsewhere."""
        return _filled(self.model, path, brought(self.model, path))

    def part(self, part: PartSpec) -> nn.Module:
        """A copy of all of it: of its module, or of a chain of several, which stands for what is at `home` of it."""
        paths, around = links(part), home(part)
        if paths == [around]:
            return self.copy(around)
        return Chain({path.removeprefix(f"{around}."): self.copy(path) for path in paths})


def in_memory(model: nn.Module, path: str) -> nn.Module:
    """The module at `path`; where accelerate keeps some of its weights elsewhere, a copy that holds them."""
    elsewhere = brought(model, path)
    if not elsewhere:
        return model.get_submodule(path)
    return _filled(model, path, elsewhere)


def _filled(model: nn.Module, path: str, elsewhere: dict[str, Tensor]) -> nn.Module:
    copy = copied(model.get_submodule(path))
    fill(copy, elsewhere)
    return copy
