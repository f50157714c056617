"""Reference: a model by name, so that workers open it themselves; nothing that is alive is sent to them."""

from __future__ import annotations

import json
from contextlib import AbstractContextManager, suppress
from dataclasses import asdict, dataclass, field, replace
from functools import lru_cache
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError

from ..compose.stitching.stitched import guests
from ..core.family import text_config
from ..core.files import reason
from ..core.fingerprint import AtRest
from ..core.folders import put_folder
from ..core.sealed import canonical, digest
from ..core.stored import stored
from ..errors import EngineError, GarageError, LedgerError
from ..inject.edit import name_of
from ..registry.lift import Lifted, lift
from .engines.crew import Crew
from .engines.here import Here
from .hand import Hand
from .written import write_model

NAMELESS = ("_name_or_path", "architectures", "transformers_version", "dtype", "torch_dtype", "name_or_path")


@dataclass(frozen=True)
class Reference:
    """`place` is a folder or a name that `load` takes; two references to the same model in two places are equal.

    `weights` is the digest of names, shapes, dtypes and bits, `config` that of all that its code is told, `kernels` are
    what it runs its attention and its experts with: rounding depends on them, as on `dtype` and `device`.
    """

    place: str = field(compare=False)
    revision: str | None = field(compare=False)
    weights: str
    config: str
    kernels: tuple[str, str]
    dtype: str
    device: str

    @classmethod
    def of(cls, lifted: Lifted, place: str = "") -> Reference:
        """Of the model as it is now: one pass over its weights. EngineError for weights that are nowhere to be read."""
        at_rest = AtRest.of(lifted.model)
        if any(bits[-1] is None for bits in at_rest.state.values()):
            raise EngineError("Some weights are out of reach, where they cannot be told from others.", "Load it whole.")
        return cls(
            place=place,
            revision=lifted.info["revision"],
            weights=at_rest.digest,
            config=_config(lifted.model),
            kernels=_kernels(lifted.model),
            dtype=lifted.info["dtype"],
            device=lifted.info["device"],
        )

    def to_json(self) -> dict[str, Any]:
        """All that results depend on, and not where it lies."""
        return {name: value for name, value in asdict(self).items() if name not in ("place", "revision")}


def opened(reference: Reference) -> Lifted:
    """The model at hand, or the one that is loaded once a process and then runs on one thread.

    EngineError where it cannot be loaded, or is not the one that was named.
    """
    return _LIVE.find(reference) or _loaded(reference)


def at_hand(reference: Reference, lifted: Lifted) -> AbstractContextManager[None]:
    """While this stands, tasks that run in this process work on the live model."""
    return _LIVE.holding(reference, lifted)


_LIVE: Hand[Reference, Lifted] = Hand()


def reference_on(crew: Crew, lifted: Lifted, folder: str | Path) -> Reference:
    """For the workers of that crew. Where this process is the one who works, nothing is opened again nor written.

    Errors as of `reference_for`.
    """
    return Reference.of(lifted) if isinstance(crew, Here) else reference_for(lifted, folder)


def reference_for(lifted: Lifted, folder: str | Path) -> Reference:
    """By the name it was loaded by where that leads to this very model; else it is saved below `folder`, once. Every
    worker has to see that place.

    Without a place, for this process alone, where the model would be another when it is opened again. EngineError for
    weights that are kept elsewhere, LedgerError where nothing can be written.
    """
    model = lifted.model
    if any(weight.is_meta for weight in model.parameters()):
        raise EngineError(
            "Some weights are kept elsewhere, and workers open a model whole.", "Ask in this process: --on here."
        )
    named = Reference.of(lifted, lifted.info.get("loaded_from", ""))
    saved = replace(named, place=str(Path(folder).resolve() / f"model-{named.weights[:16]}"), revision=None)
    if guests(model) or not hasattr(model, "save_pretrained"):
        return replace(named, place="")
    known = next((one for one in (named, saved) if _leads(one)), None)
    return known or _saved(lifted, saved)


def _leads(reference: Reference) -> bool:
    with suppress(EngineError):
        return _checked(reference) is not None
    return False


def _saved(lifted: Lifted, saved: Reference) -> Reference:
    """In its place only when it opens from there as it is here."""
    try:
        with put_folder(Path(saved.place)) as beside:
            write_model(lifted.model, beside)
            if lifted.tokenizer is not None:
                lifted.tokenizer.save_pretrained(beside)
            _checked(replace(saved, place=str(beside)))
    except EngineError:
        return replace(saved, place="")
    except (OSError, SafetensorError) as error:
        why = reason(error) if isinstance(error, OSError) else str(error)
        raise LedgerError(f"The model cannot be written: {why}: {saved.place}", "Name another folder.") from error
    return saved


@lru_cache(maxsize=1)
def _loaded(reference: Reference) -> Lifted:
    torch.set_num_threads(1)
    return _checked(reference)


def _checked(reference: Reference) -> Lifted:
    if not reference.place:
        raise EngineError(
            "This model would be another when it is opened again, so no other process can have it.",
            "Ask in this process: --on here.",
        )
    try:
        lifted = lift(reference.place, device=reference.device, dtype=reference.dtype, revision=reference.revision)
        _set_kernels(lifted.model, reference.kernels)
    except (GarageError, ValueError, ImportError) as error:
        raise EngineError(f"A worker cannot open {reference.place}: {error}", "Every worker has to see it.") from None
    if Reference.of(lifted) != reference:
        raise EngineError(
            f"{reference.place} holds another model than was asked about.", "Load it again, and ask again."
        )
    return lifted


def _kernels(model: Any) -> tuple[str, str]:
    """What it runs its attention with, and its experts."""
    config = text_config(model)
    named = (getattr(config, f"_{kind}_implementation", None) for kind in ("attn", "experts"))
    attention, experts = (str(name or "") for name in named)
    return attention, experts


def _set_kernels(model: Any, kernels: tuple[str, str]) -> None:
    for before, wanted, change in zip(
        _kernels(model), kernels, (model.set_attn_implementation, model.set_experts_implementation), strict=True
    ):
        if wanted and wanted != before:
            change(wanted)


def _config(model: Any) -> str:
    """With the buffers that are not stored: casting a live model casts them too, and loading it makes them anew."""
    config: Any = getattr(model, "config", None)
    said = json.loads(config.to_json_string(use_diff=False)) if hasattr(config, "to_json_string") else None
    kept = {name for name, _ in stored(model)}
    made = {name: name_of(buffer) for name, buffer in model.named_buffers() if name not in kept}
    return digest(canonical([_meant(said), made]))


def _meant(said: Any) -> Any:
    """Of a config, without what says only where it comes from."""
    if isinstance(said, dict):
        return {key: _meant(value) for key, value in said.items() if key not in NAMELESS}
    return [_meant(value) for value in said] if isinstance(said, list) else said
