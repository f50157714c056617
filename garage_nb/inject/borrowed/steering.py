"""Steering by borrowed directions, and writing what a recipe adds for others to borrow."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from safetensors.torch import save
from torch import Tensor

from ...core.files import put, reason
from ...core.parts import parse
from ...core.tokens import EVERY
from ...errors import EditError, RecipeFileError, shortened
from ...registry.specs import ModelSpec
from ..edit import Edit
from ..edits import Add, Steer
from ..recipe import Recipe
from .directions import BLOCK
from .files import in_order
from .gguf import gguf_of


def steering(
    found: Mapping[str, Tensor], spec: ModelSpec, at: str | None = None, strength: float = 1.0
) -> tuple[Steer, ...]:
    """One Steer a direction, each at the place of its name. `at` picks among them, or says where a single one goes.

    UnknownPartError for a place the model does not have, EditError for a direction of another width.
    """
    if at is not None and len(found) == 1:
        (direction,) = found.values()
        edits = tuple(Steer(name, direction, strength) for name in spec.usable(at))
    else:
        named = _by_place(found, spec)
        wanted = list(named) if at is None else spec.usable(at)
        if without := [name for name in wanted if name not in named]:
            raise EditError(f"There is no direction for {without[0]}.", f"There are: {', '.join(named)}.")
        edits = tuple(Steer(name, named[name], strength) for name in wanted)
    Recipe(edits).taps(spec)
    return edits


def save_directions(recipe: Recipe, spec: ModelSpec, path: str | Path) -> Path:
    """Write what a recipe adds at every place to a `.safetensors` file, or to a `.gguf` one. Returns the file.

    Directions of one place are added up, each as many times as its strength. EditError for a recipe that does anything
    else, RecipeFileError where nothing can be written.
    """
    place, sums = Path(path), _sums(recipe, spec)
    if place.suffix not in (".safetensors", ".gguf"):
        raise EditError(f"{place} is no file of directions.", "Name a .safetensors or a .gguf file.")
    data = save({_key(name): sums[name] for name in sums}) if place.suffix != ".gguf" else _gguf(sums, spec)
    try:
        place.parent.mkdir(parents=True, exist_ok=True)
        put(place, data)
    except OSError as error:
        raise RecipeFileError(f"{place} cannot be written: {reason(error)}.", "Name another file.") from None
    return place


def _by_place(found: Mapping[str, Tensor], spec: ModelSpec) -> dict[str, Tensor]:
    named = {spec.name(name): direction for name, direction in found.items()}
    if len(named) < len(found):
        raise EditError(f"Two of {shortened(list(found))} are of one place.", "Keep one of them.")
    return {name: named[name] for name in sorted(named, key=in_order)}


def _key(name: str) -> str:
    return name.replace("layer_", "direction.") if BLOCK.fullmatch(name) else name


def _sums(recipe: Recipe, spec: ModelSpec) -> dict[str, Tensor]:
    recipe.taps(spec)
    sums: dict[str, Tensor] = {}
    for edit in recipe:
        name, given = spec.name(edit.at), _constant(edit)
        sums[name] = sums[name] + given if name in sums else given
    if not sums:
        raise EditError("The recipe steers nothing.", "Add a direction first: steer layer_3 @direction")
    return {name: total.float() for name, total in sums.items()}


def _constant(edit: Edit) -> Tensor:
    """What it adds to every token, in double precision."""
    if edit.tokens == EVERY and isinstance(edit, Steer):
        return edit.direction.detach().cpu().double() * edit.strength
    value = edit.value if edit.tokens == EVERY and isinstance(edit, Add) else None
    if isinstance(value, Tensor) and value.ndim == 1 and len(value) > 1:
        return value.detach().cpu().double()
    raise EditError(
        f"The edit {str(edit)!r} adds no one direction to all tokens.", "recipe save FILE keeps every kind of edit."
    )


def _gguf(sums: Mapping[str, Tensor], spec: ModelSpec) -> bytes:
    blocks = {address.layer: sums[name] for name in sums if (address := parse(name)) and BLOCK.fullmatch(name)}
    if len(blocks) < len(sums) or 0 in blocks:
        odd = next(name for name in sums if name == "layer_0" or not BLOCK.fullmatch(name))
        raise EditError(f"A control vector has nothing for {odd}.", "Whole layers from layer_1 on, or a .safetensors.")
    return gguf_of({block: total for block, total in blocks.items() if block is not None}, spec.family.value)
