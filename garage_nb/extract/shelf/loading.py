"""Loading a part: read, checked against its checksums, and built again; a part, or nothing at all."""

from __future__ import annotations

from pathlib import Path
from typing import NoReturn

from torch import Tensor

from ...core.files import reason
from ...core.sealed import Broken, OtherVersion
from ...errors import PartFileError
from ..part import ExtractedPart
from .building import built, said_by
from .card import PartCard
from .saving import SEAL


def load_part(path: str | Path) -> ExtractedPart:
    """What `save_part` wrote, on the host and in evaluation mode; it answers bit for bit what it did.

    PartFileError for what is not there, damaged, changed, or says what this version does not know.
    """
    place = Path(path)
    card, tensors = opened(place)
    try:
        return built(card, tensors)
    except Exception as error:  # whatever transformers makes of a config that somebody wrote by hand
        raise PartFileError(
            f"{place} cannot be built: {said_by(error).rstrip('.')}.",
            "Nothing was loaded. Take the part out again, with this version of transformers.",
        ) from None


def opened(place: Path) -> tuple[PartCard, dict[str, Tensor]]:
    """The card and the tensors of a part file, both whole."""
    try:
        body = SEAL.read(place)
        named = {"tensors": body.pop("tensors", None)}
        return PartCard.from_json(body), SEAL.tensors(named, place)
    except OSError as error:
        raise PartFileError(
            f"{error.filename or place} cannot be read: {reason(error)}.", "Name what `save_part` returned."
        ) from None
    except OtherVersion as error:
        raise PartFileError(
            f"{place} is a part of version {error}; this one reads {SEAL.version}.", "Update garage_nb."
        ) from None
    except Broken as error:
        _refuse(f"This is no whole part file: {error}")
    except (ValueError, TypeError, LookupError, AttributeError, RecursionError) as error:
        _refuse(f"The card of {place} says what this version does not know: {error}")


def _refuse(what: str) -> NoReturn:
    raise PartFileError(what, "Nothing was loaded. Save the part again.")
