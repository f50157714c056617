"""Reading: a mergekit recipe becomes a build sheet that makes the same tensors.

The config, and where nothing else is said the tokenizer, come from `base_model`, else from the model that the file
names first. (mergekit takes any of the models then, another from run to run.) What stands before the blocks comes from
the first slice and what follows them from the last, as mergekit has it for the families it knows by name. Its file has
no seed: `seed` is what `mergekit-yaml --random-seed` would be given, for methods that draw.

Two things differ. With a `tokenizer_source` mergekit drops rows of embeddings beyond the tokenizer's last token; here
they stay. And models whose tokenizers differ are refused, where mergekit fills rows in.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from ...errors import BuildError, InputError, RecipeFileError
from ..blends.blend import Blend
from ..blends.deltas import Deltas
from ..blends.passthrough import Passthrough
from ..blends.slerp import Slerp
from ..graft import BOTTOM, TOP, WHOLE, Graft, Merge, Stack, Swap
from ..ref import Ref
from ..sheet import BuildSheet
from .naming import donor_names
from .parameters import blend_for, demand_known, kind_of
from .recipe import Recipe, Slice, Source, recipe_of


def sheet_from(said: str | Mapping[str, Any], seed: int = 0) -> BuildSheet:
    """From the text of a recipe, or what its YAML stands for. RecipeFileError names what is not understood."""
    recipe = recipe_of(said)
    names = donor_names(recipe.models)
    if recipe.tokenizer and recipe.tokenizer not in names:
        raise RecipeFileError(f"{recipe.tokenizer} is to give the tokenizer, and is not merged.", "Name one that is.")
    base = names[recipe.models[0]]
    try:
        grafts = tuple(_grafts(recipe, names, base, seed))
    except (InputError, BuildError) as error:
        raise RecipeFileError(error.what, error.hint) from None
    donors = {name: model for model, name in names.items()}
    tokenizer = names.get(recipe.tokenizer, "")
    return BuildSheet(base, donors, grafts, dtype=recipe.dtype, out_dtype=recipe.out_dtype, tokenizer=tokenizer)


@dataclass(frozen=True)
class _Mix:
    """A slice understood: what stands there first, what is blended into it and how, None for not at all."""

    own: Ref
    others: tuple[Ref, ...]
    blend: Blend | None

    @property
    def layers(self) -> int:
        first, stop = self.own.parts.split(":")
        return int(stop) - int(first)

    def at(self, place: str, *, whole: bool) -> Iterator[Merge]:
        """With whole donors, their tensors of the same names; else the layers they have in the slice."""
        refs = tuple(Ref(ref.donor) for ref in self.others) if whole else self.others
        if self.blend is not None:
            yield Merge(place, refs, self.blend)


def _grafts(recipe: Recipe, names: Mapping[str, str], base: str, seed: int) -> Iterator[Graft]:
    mixes = [_mix(recipe, part, names, seed) for part in recipe.slices]
    first, last = mixes[0], mixes[-1]
    if len(last.others) > len(first.others):
        raise RecipeFileError(
            "The last slice blends more models than the first: mergekit leaves some of them out of the last norm.",
            "Give the first slice as many.",
        )
    if not recipe.is_whole or first.own.donor != base:
        yield Stack(tuple(mix.own for mix in mixes))
    for place, mix in ((BOTTOM, first), (TOP, last)):
        if mix.own.donor != base:
            yield Swap(place, Ref(mix.own.donor))
    if recipe.is_whole:
        yield from first.at(WHOLE, whole=True)
    else:
        yield from _merges(mixes)


def _merges(mixes: list[_Mix]) -> Iterator[Merge]:
    start = 0
    yield from mixes[0].at(BOTTOM, whole=True)
    for mix in mixes:
        yield from mix.at(f"{start}:{start + mix.layers}", whole=False)
        start += mix.layers
    yield from mixes[-1].at(TOP, whole=True)


def _mix(recipe: Recipe, part: Slice, names: Mapping[str, str], seed: int) -> _Mix:
    kind = kind_of(recipe.method)
    own, others = _sides(recipe, part, kind)
    if issubclass(kind, Slerp | Deltas):
        demand_known(kind, own.parameters, f"The base, {own.model},", ())
        heard = others
    else:
        heard = [own, *others]
    blend = blend_for(kind, heard, part, recipe.parameters, seed)
    blend.demand(len(others))
    plain = blend == Passthrough()
    return _Mix(_ref(own, names), tuple(_ref(other, names) for other in others), None if plain else blend)


def _sides(recipe: Recipe, part: Slice, kind: type[Blend]) -> tuple[Source, list[Source]]:
    """What stands first and what is blended into it: the base for methods that have one, else in the file's order."""
    sources, base = list(part.sources), part.base or recipe.base
    named = [source.model for source in sources]
    if len(set(named)) < len(named):
        raise RecipeFileError(f"A slice has {max(named, key=named.count)} twice.", "Blend different models.")
    if recipe.is_whole and base and base not in named:
        sources.append(Source(base))
    if not issubclass(kind, Slerp | Deltas):
        return sources[0], sources[1:]
    own = next((source for source in sources if source.model == base), None)
    if own is None:
        raise RecipeFileError(f"{kind.method} has no base{' among its sources' if base else ''}.", "Say base_model: …")
    return own, [source for source in sources if source is not own]


def _ref(source: Source, names: Mapping[str, str]) -> Ref:
    return Ref(names[source.model], "all" if source.layers is None else f"{source.layers[0]}:{source.layers[1]}")
