"""borrow: the one door for what other libraries keep in files. It looks at the files, and runs nothing of them."""

from __future__ import annotations

from pathlib import Path

from ...core.files import reason
from ...errors import EditError, RecipeFileError, shortened
from ...registry.specs import ModelSpec
from ..recipe import Recipe
from .directions import DIRECTIONS, form_of
from .sae_files import CONFIG, WEIGHTS, sae_in
from .steering import steering

ADAPTER = "adapter_config.json"
_KNOWN = "Known are a folder of SAELens, and a .safetensors, .gguf or .svec file of directions."


def borrow(
    path: str | Path,
    spec: ModelSpec,
    *,
    at: str | None = None,
    strength: float = 1.0,
    features: str = "",
    error: str = "kept",
) -> Recipe:
    """The edits that a path holds, fit for this model.

    ==================  =======================================================================================
    SAELens' folder     one Sae at the place it was trained at, or at `at`; `features` are turned, "12=3,40=0",
                        and what it does not rebuild is kept or dropped: `error`
    file of directions  a Steer each, `strength` times, at its own place; `at` picks some, or says where one goes
    ==================  =======================================================================================

    RecipeFileError says what was found where it is none of these, or damaged; EditError what does not fit.
    """
    place = Path(path)
    if (place / CONFIG).is_file() and (place / WEIGHTS).is_file():
        if strength != 1:
            raise EditError("An autoencoder has no strength.", "Turn its features: --features 12=3")
        return Recipe((sae_in(place, spec, at, features=features, error=error),))
    form = form_of(place) if place.is_file() else ""
    if form not in DIRECTIONS:
        raise RecipeFileError(*_found(place, form))
    if features or error != "kept":
        raise EditError(f"{place} has directions, no features.", "Say how strong they are: --strength 2")
    return Recipe(steering(DIRECTIONS[form](place), spec, at, strength))


def _found(place: Path, form: str) -> tuple[str, str]:
    """What is there instead, and what to do."""
    if form == "recipe":
        return f"{place} is a recipe.", f"Put it in force: recipe apply {place}"
    if place.is_file():
        return f"{place} holds neither directions nor an autoencoder.", _KNOWN
    if not place.is_dir():
        return f"There is no {place}.", _KNOWN
    if (place / ADAPTER).is_file():
        return f"{place} is an adapter of PEFT: it changes weights, not hidden states.", "Build a model with it."
    try:
        names = sorted(item.name for item in place.iterdir())
    except OSError as error:
        return f"{place} cannot be read: {reason(error)}.", _KNOWN
    return f"{place} holds {shortened(names) or 'nothing'}.", _KNOWN
