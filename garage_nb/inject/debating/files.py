"""Files: a gate as `gate.json` in a folder, its tensors beside it in safetensors, each with a checksum."""

from __future__ import annotations

from pathlib import Path

from ...core.sealed import Seal
from ...errors import BladeFileError, EditError, GateFileError
from ..blades.card import FitCard, ModelCard
from ..blades.strict import or_none, text
from ..sealed_folder import SealedFolder
from .gate import Gate

GATES = SealedFolder(Seal("garage_nb debate gate", 2, "gate"), GateFileError)
KEYS, TENSORS = {"debate", "fit", "model", "tensors"}, {"weight", "bias"}


def save_gate(gate: Gate, folder: str | Path) -> Path:
    """Returns the JSON file. GateFileError where nothing can be written; then all is as it was."""
    cards = {"fit": gate.fit, "model": gate.model}
    body = {"debate": gate.debate, **{name: None if card is None else card.to_json() for name, card in cards.items()}}
    return GATES.write(folder, body, {"weight": gate.weight, "bias": gate.bias})


def load_gate(path: str | Path) -> Gate:
    """From the folder, or the file in it. GateFileError for what is not there, damaged, or of another version."""
    body, tensors = GATES.read(path)
    if set(body) != KEYS or set(tensors) != TENSORS:
        raise GATES.broken(path)
    try:
        fit, model = or_none(FitCard.from_json)(body["fit"]), or_none(ModelCard.from_json)(body["model"])
        return Gate(tensors["weight"], tensors["bias"], fit, text(body["debate"]), model)
    except (BladeFileError, EditError, ValueError):
        raise GATES.broken(path) from None
