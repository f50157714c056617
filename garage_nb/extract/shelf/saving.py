"""Saving a part: a card as JSON, and its tensors in safetensors beside it. What is saved is first built again."""

from __future__ import annotations

import copy
import hashlib
import re
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError
from torch import Tensor

from ...core.auto import class_named
from ...core.files import reason
from ...core.sealed import Seal
from ...core.sites import leaving
from ...core.versions import made_with
from ...errors import PartFileError
from ..part import ExtractedPart
from ..trial import given_to
from .building import ATTENTION, Unbuildable, built, layout_of, said_by, said_of, tensors_of
from .card import PartCard
from .licence import licence_of

SEAL = Seal("garage_nb part", 1, "part")


def save_part(part: ExtractedPart, path: str | Path) -> Path:
    """Write to a `.json` file, or to `attention_5.json` in a folder; returns where. Tensors go into a file beside it.

    The part is built again from what will be written, and must answer bit for bit the same. PartFileError leaves all
    as it was: for a part of a model that is none of transformers', or was changed, and for what cannot be written.
    """
    place, tensors = _place(part, path), {}
    try:
        tensors = {name: tensor.detach().cpu() for name, tensor in tensors_of(part).items()}
        card = _card(part, tensors)
        _demand_same(part, built(card, tensors))
    except Exception as error:  # whatever transformers makes of a config that was changed by hand
        raise PartFileError(
            f"{part.description.name} cannot be saved: {said_by(error).rstrip('.')}.",
            "It runs as it is, in this session. Parts of plain transformers models can be saved.",
        ) from None
    try:
        SEAL.write(place, card.to_json(), tensors)
    except OSError as error:
        raise PartFileError(f"The part cannot be written: {reason(error)}: {place}", "Name another file.") from error
    except SafetensorError as error:
        raise PartFileError(f"A tensor of the part cannot be saved: {error}.", "Give it another dtype.") from None
    return place


def _card(part: ExtractedPart, tensors: dict[str, Tensor]) -> PartCard:
    config, kind = part.config, part.donor.model_class
    model_type = str(getattr(config, "model_type", ""))
    if class_named(kind.__name__, model_type) is not kind:
        raise Unbuildable(f"{kind.__name__} is no model class of transformers")
    kernel = str(config.get_text_config()._attn_implementation)
    name = _plain_name(part.description.model_id)
    return PartCard(
        description=replace(part.description, model_id=name),
        revision=getattr(config, "_commit_hash", None),
        licence=licence_of(config),
        made_with=made_with(),
        model_type=model_type,
        model_class=kind.__name__,
        attention=kernel if kernel in ATTENTION else "sdpa",
        experts=getattr(config, "_experts_implementation", None),
        config=said_of(config),
        spec=replace(part.spec, model_id=name),
        layout=layout_of(tensors),
    )


@torch.no_grad()
def _demand_same(part: ExtractedPart, again: ExtractedPart) -> None:
    own = copy.deepcopy(part).eval()
    given = given_to(own)
    expected = _answer(own, given)
    if expected is not None and not torch.equal(_found(again.to(expected.device), given), expected):
        raise Unbuildable("built again from its config it gives something else")


def _answer(part: ExtractedPart, given: tuple[Any, ...]) -> Tensor | None:
    """None for what takes more than is given here; its tensors are compared in any case."""
    try:
        return leaving(part(*given))
    except Exception:  # whatever a family's module raises
        return None


def _found(again: ExtractedPart, given: tuple[Any, ...]) -> Tensor:
    try:
        return leaving(again(*given))
    except Exception as error:  # as BigBird and RWKV, which change their own blocks when they first run
        raise Unbuildable(f"built again from its config it does not run: it raises {type(error).__name__}") from None


def _plain_name(model_id: str) -> str:
    """Of a folder its own name: where it lies is nobody else's business."""
    return Path(model_id).name if Path(model_id).is_absolute() or Path(model_id).is_dir() else model_id


def _place(part: ExtractedPart, path: str | Path) -> Path:
    place = Path(path)
    return place if place.suffix == ".json" else place / f"{_stem(part)}.json"


def _stem(part: ExtractedPart) -> str:
    """The name, and for a group of units a few digits that tell it from other groups."""
    known: Any = part.description
    if known.units is None or len(known.units.indices) == 1:
        return str(known.name)
    digits = hashlib.sha256(repr(known.units.indices).encode()).hexdigest()[:8]
    return re.sub(r"\[.*", "", known.name) + f"_{digits}"
