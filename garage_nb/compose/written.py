"""Written: sheets as JSON, for files and for the config of what they built. Reading is strict and opens no model."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, get_args

from torch import Tensor

from ..errors import BuildError, GarageError
from ..inject.edit import Edit, short
from ..inject.kinds import edit_from
from .blends.methods import blend_from_json
from .graft import Adapt, Adapter, Graft, Merge, Stack, Swap
from .ref import Ref
from .sheet import BuildSheet

VERSION = 1
_TEXTS = ("name", "dtype", "out_dtype", "tokenizer")


def sheet_to_json(sheet: BuildSheet) -> dict[str, Any]:
    """Donors by what `load` takes; a live model by the id it was lifted with, or by its name on the sheet."""
    return {
        "version": VERSION,
        "base": sheet.base,
        "donors": {name: _said(name, source) for name, source in sheet.donors.items()},
        "grafts": [_graft_to_json(graft) for graft in sheet.grafts],
        "edits": [edit.to_json() for edit in sheet.edits],
        "texts": list(sheet.texts),
        **{name: getattr(sheet, name) for name in _TEXTS},
    }


def sheet_from_json(data: Any, tensors: Mapping[str, Tensor] | None = None) -> BuildSheet:
    """What `sheet_to_json` wrote, with the tensors that its edits name. BuildError for anything else."""
    try:
        if data["version"] != VERSION:
            raise BuildError(
                f"This build sheet is of version {str(data['version'])[:20]}; {VERSION} is read here.",
                "Update garage_nb.",
            )
        donors = {_text(name): _text(source) for name, source in data["donors"].items()}
        grafts = tuple(map(_graft_from_json, _listed(data["grafts"])))
        _demand_keys(data, {"version", "base", "donors", "grafts", "edits", "texts", *_TEXTS})
        said: dict[str, Any] = {name: _text(data[name]) for name in _TEXTS}
        edits = tuple(edit_from(edit, tensors or {}) for edit in data["edits"])
        texts = tuple(map(_text, data["texts"]))
        return BuildSheet(_text(data["base"]), donors, grafts, edits=edits, texts=texts, **said)
    except GarageError as error:
        raise BuildError(error.what, error.hint) from None
    except (KeyError, TypeError, AttributeError, ValueError) as error:
        raise BuildError(f"This is no build sheet: {type(error).__name__} {error}.", "Write it again.") from None


def demand_sayable(edits: Iterable[Edit]) -> None:
    """BuildError for a module or function of the user's own, which no sheet could say again."""
    for edit in edits:
        if own := next((value for value in edit.values().values() if callable(value)), None):
            raise BuildError(
                f"The edit {str(edit)!r} holds a {short(own)} of your own, which cannot be written into a sheet.",
                "Take it off, and put it in force on what was built.",
            )


def _graft_to_json(graft: Graft) -> dict[str, Any]:
    if isinstance(graft, Stack):
        return {"graft": graft.verb, "layers": [str(ref) for ref in graft.layers]}
    if isinstance(graft, Swap):
        return {"graft": graft.verb, "at": graft.at, "source": str(graft.source), "adapter": graft.adapter}
    if isinstance(graft, Adapt):
        return {"graft": graft.verb, "folder": graft.folder, "scale": graft.scale}
    sources = [str(ref) for ref in graft.sources]
    return {"graft": graft.verb, "at": graft.at, "sources": sources, "blend": graft.blend.to_json()}


def _graft_from_json(data: Any) -> Graft:
    kind = data["graft"]
    if kind == Stack.verb:
        _demand_keys(data, {"graft", "layers"})
        return Stack(tuple(Ref.of(_text(layer)) for layer in _listed(data["layers"])))
    if kind == Swap.verb:
        _demand_keys(data, {"graft", "at", "source", "adapter"})
        if data["adapter"] not in get_args(Adapter):
            raise BuildError(f"There is no adapter {str(data['adapter'])[:40]!r}.", "There are: none, fit, untrained.")
        return Swap(_text(data["at"]), Ref.of(_text(data["source"])), data["adapter"])
    if kind == Merge.verb:
        _demand_keys(data, {"graft", "at", "sources", "blend"})
        sources = tuple(Ref.of(_text(source)) for source in _listed(data["sources"]))
        return Merge(_text(data["at"]), sources, blend_from_json(data["blend"]))
    if kind == Adapt.verb:
        _demand_keys(data, {"graft", "folder", "scale"})
        return Adapt(_text(data["folder"]), float(data["scale"]))
    raise BuildError(f"There is no graft {str(kind)[:40]!r}.", "There are: stack, swap, merge, adapt.")


def _demand_keys(data: dict[str, Any], known: set[str]) -> None:
    if unlike := sorted(map(str, data.keys() ^ known)):
        raise BuildError(f"A build sheet has another {unlike[0][:40]!r}.", "It was written by another version.")


def _text(value: Any) -> str:
    if not isinstance(value, str):
        raise TypeError(f"{str(value)[:40]!r} is no text")
    return value


def _listed(value: Any) -> list[Any]:
    if not isinstance(value, list):
        raise TypeError(f"{str(value)[:40]!r} is no list")
    return value


def _said(name: str, source: Any) -> str:
    if isinstance(source, str):
        return source
    spec = getattr(source, "spec", None)
    return str(getattr(spec, "model_id", name))
