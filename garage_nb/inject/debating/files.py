"""Files: a gate as `gate.json` in a folder, its tensors beside it in safetensors, each with a checksum."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from safetensors import SafetensorError
from torch import Tensor

from ...core.files import reason
from ...core.folders import demand_writable
from ...core.sealed import Broken, OtherVersion, Seal
from ...errors import BladeFileError, EditError, GateFileError
from ..blades.card import FitCard, ModelCard
from ..blades.strict import or_none, text
from .gate import Gate

SEAL = Seal("garage_nb debate gate", 2, "gate")
FILE = "gate.json"
KEYS, TENSORS = {"debate", "fit", "model", "tensors"}, {"weight", "bias"}


def save_gate(gate: Gate, folder: str | Path) -> Path:
    """Returns the JSON file. GateFileError where nothing can be written; then all is as it was."""
    place = Path(folder).expanduser() / FILE
    cards = {"fit": gate.fit, "model": gate.model}
    body = {"debate": gate.debate, **{name: None if card is None else card.to_json() for name, card in cards.items()}}
    try:
        SEAL.write(place, body, {"weight": gate.weight, "bias": gate.bias})
    except OSError as error:
        raise _unwritten(place, error) from None
    except SafetensorError as error:
        raise GateFileError(f"A tensor of the gate cannot be saved: {error}.", "Give it another dtype.") from None
    return place


def gate_folder(folder: str | Path) -> Path:
    """Where `save_gate` would write, asked before the gate is fitted. GateFileError where it could not."""
    place = Path(folder).expanduser()
    try:
        demand_writable(place)
    except OSError as error:
        raise _unwritten(place, error) from None
    return place


def _unwritten(place: Path, error: OSError) -> GateFileError:
    return GateFileError(f"The gate cannot be written: {reason(error)}: {place}", "Name another folder.")


def load_gate(path: str | Path) -> Gate:
    """From the folder, or the file in it. GateFileError for what is not there, damaged, or of another version."""
    place = Path(path).expanduser()
    place = place if place.suffix == ".json" else place / FILE
    try:
        body = SEAL.read(place)
        if set(body) != KEYS:
            raise Broken(str(place))
        return _gate(body, SEAL.tensors(body, place), place)
    except OSError as error:
        raise GateFileError(
            f"{error.filename or place} cannot be read: {reason(error)}.", "Name the folder that fit_gate --to wrote."
        ) from None
    except OtherVersion as error:
        raise GateFileError(
            f"{place} is a gate of version {error}; this one reads {SEAL.version}.",
            "Fit it again, or open it with the garage_nb that wrote it.",
        ) from None
    except Broken as error:
        raise GateFileError(f"This is no whole gate: {error}", "Save the gate again.") from None


def _gate(body: dict[str, Any], tensors: dict[str, Tensor], place: Path) -> Gate:
    """Broken for what `save_gate` never wrote."""
    if set(tensors) != TENSORS:
        raise Broken(str(place))
    try:
        fit, model = or_none(FitCard.from_json)(body["fit"]), or_none(ModelCard.from_json)(body["model"])
        return Gate(tensors["weight"], tensors["bias"], fit, text(body["debate"]), model)
    except (BladeFileError, EditError, ValueError):
        raise Broken(str(place)) from None
