"""Saving: what was built, as a plain folder of transformers, in its place only when it loads from there unchanged."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError

from ...core.auto import auto_class
from ...core.files import reason
from ...core.folders import demand_folder, put_folder
from ...core.quiet import quiet_when_small
from ...core.sealed import digest_of
from ...core.stored import stored
from ...errors import BuildError
from ..stitching.stitched import guests
from .built import Built
from .kept_edits import KeptEdits
from .model_card import model_card
from .proof import Proof, equal, logits_of
from .provenance import KEY
from .wrapper_files import HOST, read_wrapper, write_wrapper

RECORD = "garage_build.json"


def save(built: Built, folder: str | Path) -> tuple[Path, Proof]:
    """Where it is, and the proof that it loads unchanged. A BuildError leaves what was there before as it was."""
    model, tokenizer, edits, place = built.model, built.tokenizer, built.edits, Path(folder).expanduser()
    _demand_free(place)
    try:
        with put_folder(place) as beside, quiet_when_small(_bytes(model)):
            write_wrapper(model, beside) if guests(model) else model.save_pretrained(beside)
            if tokenizer is not None:
                tokenizer.save_pretrained(beside / HOST if guests(model) else beside)
            edits.write(beside)
            found = _reloaded(model, edits, beside)
            card = model_card(built.proofs, found, getattr(model.config, KEY), edits.stays)
            (beside / "README.md").write_text(card, encoding="utf-8")
            (beside / RECORD).write_text(_record(beside, getattr(model.config, KEY)), encoding="utf-8")
    except (OSError, SafetensorError) as error:
        raise _unwritten(place, error) from error
    return place, found


def model_folder(folder: str | Path) -> Path:
    """Where `save` would write, asked before the model is made. BuildError where it could not."""
    place = Path(folder).expanduser()
    _demand_free(place)
    try:
        demand_folder(place.resolve().parent)
    except OSError as error:
        raise _unwritten(place, error) from error
    return place


def _unwritten(place: Path, error: OSError | SafetensorError) -> BuildError:
    why = reason(error) if isinstance(error, OSError) else str(error)
    return BuildError(f"The model cannot be written: {why}: {place}", "Name another folder.")


def _demand_free(place: Path) -> None:
    """A folder that is empty or one of ours: nobody's other model or files are written over."""
    if place.exists() and (unlike := _unlike_recorded(place)):
        raise BuildError(
            f"{place} holds something that was not built here, or has changed since: {unlike}.",
            "Name another folder, or empty this one.",
        )


def _unlike_recorded(place: Path) -> str:
    """The first file that its record does not know as it is, empty for none."""
    if not place.is_dir():
        return place.name
    try:
        recorded = dict(json.loads((place / RECORD).read_text(encoding="utf-8"))["sha256"])
    except (OSError, ValueError, KeyError, TypeError):
        recorded = {}
    known = {RECORD} if recorded else set()
    return next((name for name, digest in _sums(place) if name not in known and recorded.get(name) != digest), "")


def _reloaded(model: Any, edits: KeptEdits, folder: Path) -> Proof:
    """What plain transformers makes of the folder, or the garage where plain transformers cannot."""
    if (edits.stays or edits.tensors) and KeptEdits.read(folder) != edits:
        raise BuildError("Its edits are not what they were once they are read again.", "Nothing of it was kept.")
    again = read_wrapper(folder) if guests(model) else _plain(model, folder)
    _demand_same_weights(model, again)
    proof = equal("reloaded = in memory", logits_of(again.to(model.device)), logits_of(model))
    if proof.holds is False:
        raise BuildError(f"What was saved is not what was built: {proof.found}.", "Nothing of it was kept.")
    return proof


def _bytes(model: Any) -> int:
    return sum(parameter.nbytes for parameter in model.parameters())


def _demand_same_weights(model: Any, again: Any) -> None:
    before, after = dict(stored(model)), dict(stored(again))
    for name in {**before, **after}:
        if name not in before or name not in after or not torch.equal(before[name].cpu(), after[name].cpu()):
            raise BuildError(f"{name} is not what was built once it is loaded again.", "Nothing of it was kept.")


def _plain(model: Any, folder: Path) -> Any:
    kind = auto_class(model.config)
    found = kind.from_pretrained(
        folder, dtype=model.dtype, local_files_only=True, use_safetensors=True, trust_remote_code=False
    )
    found.set_attn_implementation(model.config._attn_implementation)
    return found.eval()


def _record(folder: Path, made_of: Mapping[str, Any]) -> str:
    return json.dumps({**made_of, "sha256": dict(_sums(folder))}, indent=1)


def _sums(folder: Path) -> Iterator[tuple[str, str]]:
    for file in sorted(path for path in folder.rglob("*") if path.is_file()):
        yield file.relative_to(folder).as_posix(), digest_of(file)
