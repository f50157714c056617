"""A directory of SAELens, cfg.json beside sae_weights.safetensors, as an edit."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import torch
from torch import Tensor

from ...core.parts import parse
from ...errors import RecipeFileError
from ...registry.specs import ModelSpec
from ..sae import Sae
from .files import tensors_in
from .sae_config import SaeConfig, sae_config

CONFIG, WEIGHTS = "cfg.json", "sae_weights.safetensors"
_NAMED = {
    "standard": {"W_enc", "b_enc", "W_dec", "b_dec"},
    "topk": {"W_enc", "b_enc", "W_dec", "b_dec"},
    "jumprelu": {"W_enc", "b_enc", "W_dec", "b_dec", "threshold"},
    "gated": {"W_enc", "b_gate", "W_dec", "b_dec", "r_mag", "b_mag"},
}


def sae_in(
    folder: str | Path, spec: ModelSpec, at: str | None = None, *, features: str = "", error: str = "kept"
) -> Sae:
    """At the place it was trained at, or at `at`. RecipeFileError for files that are damaged or say what is unknown,
    EditError where the place does not fit, UnknownPartError where the model has none of that name.
    """
    config = sae_config(Path(folder) / CONFIG)
    weights = _weights(Path(folder) / WEIGHTS, config)
    edit = Sae(
        spec.name(at) if at is not None else _trained_at(config, spec, folder),
        weights["W_enc"],
        weights["b_gate" if config.architecture == "gated" else "b_enc"],
        weights["W_dec"],
        weights["b_dec"],
        before=weights["b_dec"] if config.centres else None,
        threshold=weights.get("threshold"),
        gain=weights.get("r_mag"),
        gain_bias=weights.get("b_mag"),
        k=config.k,
        norm=config.norm,
        features=features,
        error=error,
    )
    edit.tap(spec)
    return edit


def _trained_at(config: SaeConfig, spec: ModelSpec, folder: str | Path) -> str:
    if not config.hook:
        raise RecipeFileError(f"{folder} does not say where it was trained.", "Say where: --at layer_6.")
    name = spec.name(config.hook)
    if config.head is None:
        return name
    address = parse(name)
    if address is None or address.unit != "heads":
        raise RecipeFileError(f"{folder} is of head {config.head} of {config.hook}.", "Say where: --at layer_6.")
    return spec.name(f"{address.whole}.head_{config.head}")


def _weights(path: Path, config: SaeConfig) -> dict[str, Tensor]:
    """In single precision at least; scaled by the norms of the decoder where the config says so."""
    found = {name: tensor for name, tensor in tensors_in(path).items() if not _says_nothing(name, tensor)}
    named = _NAMED[config.architecture]
    if odd := sorted(found.keys() ^ named):
        missing = "lacks" if odd[0] in named else "holds another tensor,"
        raise RecipeFileError(
            f"{path} {missing} {odd[0][:40]!r}; a {config.architecture} autoencoder has {', '.join(sorted(named))}.",
            "Check the architecture in cfg.json.",
        )
    wanted = {"W_enc": (config.dim, config.features), "W_dec": (config.features, config.dim), "b_dec": (config.dim,)}
    for name, tensor in found.items():
        shape = wanted.get(name, (config.features,))
        if tuple(tensor.shape) != shape or not tensor.is_floating_point():
            raise RecipeFileError(
                f"{name} of {path} is {tuple(tensor.shape)}; by cfg.json it is {shape}.", "Fetch both files again."
            )
    wide = {name: tensor.to(torch.promote_types(tensor.dtype, torch.float32)) for name, tensor in found.items()}
    return _folded(wide) if config.scales_by_decoder else wide


def _says_nothing(name: str, tensor: Tensor) -> bool:
    """Factors of 1 that older versions saved with every autoencoder."""
    return name in ("scaling_factor", "finetuning_scaling_factor") and bool((tensor == 1).all())


def _folded(weights: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Features counted in lengths of their decoder rows, which are 1 then."""
    norms = weights["W_dec"].norm(dim=1)
    changed = {"W_enc": weights["W_enc"] * norms, "W_dec": weights["W_dec"] / norms[:, None]}
    return {**weights, **changed, "b_enc": weights["b_enc"] * norms}
