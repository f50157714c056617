"""The models on the shelf: their names, folders and cards. Reads files only; nothing here loads a model."""

from __future__ import annotations

import json
import os
import tempfile
from pathlib import Path

from ..errors import ModelNotFoundError, nearest
from . import card as cards
from .card import Card

MODELS = Path(__file__).parent / "models"
INDEX = "index.json"
DEFAULT = "showroom"
CANDIDATES = ("showroom-llama", "showroom-gpt2")  # the default is the better of the two


def names() -> list[str]:
    """Every name that loads, the default first."""
    return list(_entries(MODELS))


def path(name: str = DEFAULT) -> Path:
    """The model's directory, for `AutoModelForCausalLM.from_pretrained`."""
    entries = _entries(MODELS)
    if name not in entries:
        raise ModelNotFoundError(f"The showroom has no {name!r}.", f"Nearest: {nearest(name, entries)}.")
    return MODELS / entries[name]["path"]


def card(name: str = DEFAULT) -> Card:
    """How the model was made and what it can do; print it."""
    return cards.load(path(name))


def write_index(models: Path) -> None:
    """Lists every folder that has a card, under its own name, and the best candidate as the default."""
    found = {folder.parent.name: cards.load(folder.parent) for folder in sorted(models.glob(f"*/{cards.FILE}"))}
    entries = {name: {"path": name, "about": card.about} for name, card in found.items()}
    ranked = sorted((found[name] for name in CANDIDATES if name in found), key=_merit, reverse=True)
    first = {DEFAULT: {"path": ranked[0].name, "about": f"the default: {ranked[0].about}"}} if ranked else {}
    handle, temporary = tempfile.mkstemp(dir=models, suffix=".part")
    with os.fdopen(handle, "w", encoding="utf-8") as file:
        file.write(json.dumps(first | entries, indent=1) + "\n")
    os.chmod(temporary, 0o644)  # mkstemp makes files that only their owner can read
    os.replace(temporary, models / INDEX)


def _entries(models: Path) -> dict[str, dict[str, str]]:
    entries: dict[str, dict[str, str]] = json.loads((models / INDEX).read_text(encoding="utf-8"))
    return entries


def _merit(card: Card) -> tuple[bool, float]:
    """A passed depth gate first, then accuracy over the domains."""
    return not card.gate, sum(score["accuracy"] for score in card.standard.values()) / len(card.standard)
