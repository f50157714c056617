"""Recipe: what a mergekit file says, checked word by word, before any of it is understood.

Whatever stands in the file and is not known here is refused by its name: mergekit skips it in silence.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from ...errors import RecipeFileError

Parameters = Mapping[str, Any]
DTYPES = ("float32", "float16", "bfloat16", "float64")

_TOP = {
    "merge_method", "base_model", "models", "slices", "parameters", "dtype", "out_dtype", "tokenizer_source",
    "tokenizer",
}  # fmt: skip
_SLICE = {"sources", "base_model", "parameters"}
_INPUT = {"model", "parameters"}
_REASONS = {
    "modules": "models of several stacks are not read here",
    "chat_template": "it would change the tokenizer: set tokenizer.chat_template after the build",
    "residual_weight": "mergekit reads it and does nothing with it",
}


@dataclass(frozen=True)
class Source:
    """A model, as the recipe names it, and which of its layers, from and to; None for the whole of it."""

    model: str
    layers: tuple[int, int] | None = None
    parameters: Parameters = field(default_factory=dict)


@dataclass(frozen=True)
class Slice:
    """Layers of the result that are made alike."""

    sources: tuple[Source, ...]
    base: str = ""
    parameters: Parameters = field(default_factory=dict)


@dataclass(frozen=True)
class Recipe:
    """`slices` is one of whole models where the file says `models`. What it does not say is empty."""

    method: str
    slices: tuple[Slice, ...]
    base: str = ""
    parameters: Parameters = field(default_factory=dict)
    dtype: str = ""
    out_dtype: str = ""
    tokenizer: str = ""

    @property
    def is_whole(self) -> bool:
        return self.slices[0].sources[0].layers is None

    @property
    def models(self) -> list[str]:
        """Each once: the base first, then in the order of the file."""
        named = [self.base, *(name for part in self.slices for name in (part.base, *(s.model for s in part.sources)))]
        return [name for name in dict.fromkeys(named) if name]


def recipe_of(said: str | Mapping[str, Any]) -> Recipe:
    """From YAML, or what it stands for. RecipeFileError names the key that is not understood, and what is."""
    data = _known("The recipe", _loaded(said) if isinstance(said, str) else said, _TOP, {"merge_method"})
    base = model_of(data["base_model"]) if data.get("base_model") is not None else ""
    if (data.get("models") is None) == (data.get("slices") is None):
        raise RecipeFileError("A recipe has either models or slices.", "Give one of the two.")
    key = "slices" if data.get("slices") is not None else "models"
    items = _list(key, data[key])
    return Recipe(
        str(data["merge_method"]),
        tuple(map(_slice, items)) if key == "slices" else (Slice(tuple(map(_whole, items))),),
        base,
        parameters_of(data),
        _dtype(data, "dtype"),
        _dtype(data, "out_dtype"),
        _tokenizer(data, base),
    )


def parameters_of(data: Mapping[str, Any]) -> Parameters:
    return _known("parameters", data.get("parameters") or {}, None, set())


def model_of(said: Any) -> str:
    """A folder or name, with `@revision` or not. RecipeFileError for an adapter: those are folded in by peft first."""
    if not isinstance(said, str) or not said.strip() or said.count("@") > 1:
        raise RecipeFileError(f"{str(said)[:80]!r} is no model.", "Name one: a folder, org/name, or org/name@revision.")
    if "+" in said:
        raise RecipeFileError(
            f"{said[:80]!r} asks for an adapter on a model.", "Merge it into the model with peft, and name that folder."
        )
    return said.strip()


def _loaded(text: str) -> Any:
    import yaml

    try:
        return yaml.safe_load(text)
    except (yaml.YAMLError, ValueError, RecursionError) as error:
        raise RecipeFileError(f"This is no YAML: {error}.", "Give the text of a mergekit recipe.") from None


def _known(where: str, data: Any, known: set[str] | None, needed: set[str]) -> Mapping[str, Any]:
    """A mapping with all the needed keys, and none but the known ones (None: any)."""
    if not isinstance(data, Mapping):
        raise RecipeFileError(f"{where} is {str(data)[:60]!r}, which has no keys.", "Write key: value.")
    for key in sorted(map(str, data.keys() - known)) if known is not None else ():
        reason = _REASONS.get(key, "nobody would heed it")
        raise RecipeFileError(
            f"{where} has {key[:40]!r}: {reason}.", f"Understood here: {', '.join(sorted(known or ()))}."
        )
    for key in sorted(needed - data.keys()):
        raise RecipeFileError(f"{where} has no {key}.", f"Say {key}: …")
    return data


def _list(where: str, items: Any) -> list[Any]:
    if not isinstance(items, list | tuple) or not items:
        raise RecipeFileError(f"{where} is {str(items)[:60]!r}, and should be a list.", f"Write {where}: and - items.")
    return list(items)


def _whole(item: Any) -> Source:
    data = _known("A model of the recipe", item, _INPUT, {"model"})
    return Source(model_of(data["model"]), None, parameters_of(data))


def _slice(item: Any) -> Slice:
    data = _known("A slice", item, _SLICE, {"sources"})
    sources = tuple(map(_source, _list("sources", data["sources"])))
    base = model_of(data["base_model"]) if data.get("base_model") is not None else ""
    lengths = {stop - start for start, stop in (source.layers or (0, 0) for source in sources)}
    if len(lengths) > 1:
        raise RecipeFileError(
            f"The sources of a slice have {' and '.join(map(str, sorted(lengths)))} layers.", "Give each as many."
        )
    return Slice(sources, base, parameters_of(data))


def _source(item: Any) -> Source:
    data = _known("A source", item, {*_INPUT, "layer_range"}, {"model", "layer_range"})
    bounds = data["layer_range"]
    numbers = isinstance(bounds, list | tuple) and [type(bound) for bound in bounds] == [int, int]
    if not numbers or not 0 <= bounds[0] < bounds[1]:
        raise RecipeFileError(
            f"layer_range is {str(bounds)[:40]}.", "Give the first layer and the one after the last: [0, 4]."
        )
    return Source(model_of(data["model"]), (bounds[0], bounds[1]), parameters_of(data))


def _dtype(data: Mapping[str, Any], key: str) -> str:
    name = str(data.get(key) or "").removeprefix("torch.")
    if name and name not in DTYPES:
        raise RecipeFileError(f"{key} is {name[:40]!r}.", f"Understood: {', '.join(DTYPES)}.")
    return name


def _tokenizer(data: Mapping[str, Any], base: str) -> str:
    """The model it is taken from."""
    both = [key for key in ("tokenizer_source", "tokenizer") if data.get(key) is not None]
    if len(both) > 1:
        raise RecipeFileError("The recipe has both tokenizer_source and tokenizer.", "Say one of them.")
    said = data.get("tokenizer_source")
    if data.get("tokenizer") is not None:
        said = _known("tokenizer", data["tokenizer"], {"source"}, {"source"})["source"]
    if said == "union":
        raise RecipeFileError(
            "The recipe asks for the union of the tokenizers, which needs rows nobody trained.",
            "Say base, or one of the models.",
        )
    if said == "base" and not base:
        raise RecipeFileError(
            "The tokenizer is to be the base's, and there is no base_model.", "Name the model itself."
        )
    return "" if said is None else base if said == "base" else model_of(said)
