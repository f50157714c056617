"""Placebos: a source that can tell nothing, and changes that are as large as another's and know nothing."""

from __future__ import annotations

import copy
from dataclasses import dataclass, replace

import torch
from jaxtyping import Float, Int
from torch import Tensor

from ...compose.stitching.maps import untrained
from ...core.run import read
from ...core.seed import seeded
from ...core.sites import Read, module_at
from ...errors import UnsupportedModelError
from ...inject.blades.edit import BladeEdit
from ...inject.blades.kinds.projected import PROJECTED
from ...inject.edit import Edit
from ...inject.edits import Add, Noise
from ...inject.recipe import Recipe
from ...registry.lift import Lifted, lift
from .ground import Ground
from .papers import Papers


def scrambled(source: Lifted, seed: int) -> Lifted:
    """A copy that takes every token for another one, always the same: states of the right kind, of another text.

    UnsupportedModelError for a model whose embedding is no table.
    """
    made = copy.deepcopy(source.model)
    table = getattr(module_at(made, source.spec.part("embedding").module_path), "weight", None)
    if not isinstance(table, Tensor) or table.ndim != 2:
        raise UnsupportedModelError(f"The embedding of {source.spec.model_id} is no table.", "Take another source.")
    with torch.no_grad():
        table.copy_(table[_others(len(table), seed).to(table.device)])
    return lift(made, tokenizer=source.tokenizer)


def _others(count: int, seed: int) -> Int[Tensor, " count"]:
    """Of each number another one, none twice: round a circle in random order (Sattolo 1986)."""
    circle = torch.randperm(count, generator=seeded(seed))
    return torch.empty_like(circle).scatter_(0, circle, circle.roll(1))


def silenced(source: Lifted) -> Lifted:
    """A copy with zeros for weights, so its hidden states are zeros: a gate on it has nothing to learn from."""
    made = copy.deepcopy(source.model)
    with torch.no_grad():
        for weight in made.parameters():
            weight.zero_()
    return lift(made, tokenizer=source.tokenizer)


def twin(target: Lifted) -> Lifted:
    """A copy: as a source it must change nothing."""
    return lift(copy.deepcopy(target.model), tokenizer=target.tokenizer)


@dataclass(frozen=True)
class Change:
    """What an edit does to hidden states (tokens, `width`) at its place: the mean `norm` of what it adds to a token,
    and the standard deviation of what was there, `spread`.
    """

    at: str
    width: int
    norm: float
    spread: float

    @classmethod
    def of(cls, edit: Edit, target: Lifted, papers: Papers) -> Change:
        plain, changed = (_rows(target, papers, edit.at, Recipe(edits)) for edits in ((), (edit,)))
        norm = float((changed - plain).norm(dim=-1).mean())
        return cls(edit.at, plain.shape[-1], norm, float(plain.std()))

    def direction(self, seed: int) -> Edit:
        """A random one, as long."""
        drawn = torch.randn(self.width, generator=seeded(seed))
        return Add(self.at, drawn * (self.norm / drawn.norm()))

    def noise(self, seed: int) -> Edit:
        """Drawn anew for every token, as long on the average."""
        return Noise(self.at, self.norm / self.width**0.5 / self.spread, seed)


def change_on(ground: Ground, edit: Edit) -> Change:
    """What it does to the items to choose by."""
    return Change.of(edit, ground.target, Papers.of(ground.target, ground.choose[ground.domain]))


def turned(edit: BladeEdit, seed: int) -> BladeEdit:
    """The source's states after a random rotation: as long, as far apart from each other, in other directions."""
    width = edit.blade.width
    tensors = {"weight": untrained(width, width, seed).into.float(), "bias": torch.zeros(width)}
    blade = replace(edit.blade, kind=PROJECTED.name, tensors=tensors, settings={"method": "random rotation"})
    return replace(edit, blade=blade)


def _rows(target: Lifted, papers: Papers, at: str, recipe: Recipe) -> Float[Tensor, "tokens dim"]:
    """Behind the edits, without padding."""
    seen: list[Tensor] = []
    for batch in papers.batches:
        reads = [Read(target.spec.site(at), lambda hidden: seen.append(hidden.clone()))]
        read(target.model, batch, [*recipe.taps(target.spec), *reads], chain=target.spec.chain)
        seen[-1] = seen[-1].reshape(*batch.input_ids.shape, -1)[batch.attention_mask.bool().to(seen[-1].device)]
    return torch.cat(seen).float().cpu()
