"""SaeConfig: what the cfg.json of a sparse autoencoder says of its arithmetic, in SAELens' words of version 3 to 6.

What changes the arithmetic is honoured or refused; what only records the training is passed over; a word that is
neither is refused, for it may change the arithmetic.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ...errors import RecipeFileError
from ..sae_columns import NORMS
from .files import json_in

ARCHITECTURES = {
    "standard": "standard",
    "topk": "topk",
    "jumprelu": "jumprelu",
    "gated": "gated",
    "batchtopk": "jumprelu",  # once trained it is one: SAELens saves the threshold it came to
    "matryoshka_batchtopk": "jumprelu",
}
_READ = {
    "architecture", "d_in", "d_sae", "k", "activation_fn", "activation_fn_str", "activation_fn_kwargs",
    "apply_b_dec_to_input", "normalize_activations", "reshape_activations", "rescale_acts_by_decoder_norm", "hook_name",
    "hook_point", "hook_head_index", "hook_point_head_index", "model_from_pretrained_kwargs", "metadata",
}  # fmt: skip
_RECORDS = {
    "dtype", "device", "sae_lens_version", "sae_lens_training_version", "model_name", "model_class_name", "hook_layer",
    "hook_point_layer", "hook_eval", "context_size", "prepend_bos", "neuronpedia_id", "dataset_path",
    "dataset_trust_remote_code", "is_dataset_tokenized", "seqpos_slice", "training_tokens", "total_training_tokens",
    "expansion_factor", "from_pretrained_path", "checkpoint_path", "cached_activations_path", "use_cached_activations",
    "n_batches_in_buffer", "store_batch_size", "train_batch_size", "b_dec_init_method", "l1_coefficient",
    "lp_norm", "lr", "lr_scheduler_name", "lr_warm_up_steps", "use_ghost_grads", "feature_sampling_window",
    "feature_sampling_method", "resample_batches", "feature_reinit_scale", "dead_feature_window",
    "dead_feature_estimation_method", "dead_feature_threshold", "log_to_wandb", "wandb_project", "wandb_entity",
    "wandb_log_frequency", "n_checkpoints", "tokens_per_buffer", "run_name", "seed", "adam_beta1", "adam_beta2",
}  # fmt: skip
_RESHAPES = ("none", "hook_z")  # the heads side by side, as they stand here anyway
_INSTEAD = "Open it with SAELens, and save it for inference in its present format."


@dataclass(frozen=True)
class SaeConfig:
    """`hook` is the place it was trained at, in TransformerLens' words; `head` the one head there, None for all."""

    architecture: str
    dim: int
    features: int
    k: int
    centres: bool
    scales_by_decoder: bool
    norm: str
    hook: str
    head: int | None


def sae_config(path: Path) -> SaeConfig:
    """RecipeFileError, naming the word, for what is missing, unknown, or not done here."""
    said = json_in(path)
    metadata = said.get("metadata") if isinstance(said.get("metadata"), dict) else {}
    assert isinstance(metadata, dict)
    _demand_known(said, path)
    head = _first({**said, **metadata}, "hook_head_index", "hook_point_head_index")
    return SaeConfig(
        architecture=_architecture(said, path),
        dim=_whole(said, "d_in", path),
        features=_whole(said, "d_sae", path),
        k=_k(said, path),
        centres=_flag(said, "apply_b_dec_to_input", path, default="metadata" not in said),
        scales_by_decoder=_flag(said, "rescale_acts_by_decoder_norm", path),
        norm=_norm(said, metadata, path),
        hook=str(_first({**said, **metadata}, "hook_name", "hook_point") or ""),
        head=head if isinstance(head, int) else None,
    )


def _demand_known(said: Mapping[str, Any], path: Path) -> None:
    unknown = sorted(name for name in said.keys() - _READ - _RECORDS if said[name] not in (None, False, 0, "", [], {}))
    if unknown:
        raise RecipeFileError(f"{path} says {unknown[0][:40]!r}, which is not known here.", _INSTEAD)
    if (reshape := said.get("reshape_activations", "none")) not in _RESHAPES:
        raise _refused(path, "reshape_activations", reshape, _RESHAPES)


def _architecture(said: Mapping[str, Any], path: Path) -> str:
    named = said.get("architecture", "standard")
    if not isinstance(named, str) or named not in ARCHITECTURES:
        raise _refused(path, "architecture", named, ARCHITECTURES)
    activation = _first(said, "activation_fn", "activation_fn_str") or "relu"
    if activation not in ("relu", "topk"):
        raise _refused(path, "activation_fn", activation, ("relu", "topk"))
    return "topk" if activation == "topk" and named == "standard" else ARCHITECTURES[named]


def _k(said: Mapping[str, Any], path: Path) -> int:
    more = said.get("activation_fn_kwargs")
    told = {**(more if isinstance(more, dict) else {}), **said}
    return _whole(told, "k", path) if _architecture(said, path) == "topk" else 0


def _norm(said: Mapping[str, Any], metadata: Mapping[str, Any], path: Path) -> str:
    norm = said.get("normalize_activations") or "none"
    if not isinstance(norm, str) or norm not in NORMS or norm == "mean_off":
        if norm == "expected_average_only_in":
            raise RecipeFileError(
                f"{path} scales activations by an average that these files do not hold.", "Fold it in with SAELens."
            )
        raise _refused(path, "normalize_activations", norm, [name for name in NORMS if name != "mean_off"])
    loaded = _first({**said, **metadata}, "model_from_pretrained_kwargs")
    if isinstance(loaded, dict) and loaded.get("center_writing_weights") and norm != "layer_norm":
        if norm != "none":
            raise _refused(path, "normalize_activations", norm, ("none", "layer_norm"))
        return "mean_off"  # TransformerLens took the mean off all that is written to the stream
    return norm


def _whole(said: Mapping[str, Any], name: str, path: Path) -> int:
    value = said.get(name)
    if isinstance(value, bool) or not isinstance(value, int) or value < 1:
        raise RecipeFileError(f"{path} says no whole {name}.", _INSTEAD)
    return value


def _flag(said: Mapping[str, Any], name: str, path: Path, *, default: bool = False) -> bool:
    value = said.get(name, default)
    if not isinstance(value, bool):
        raise _refused(path, name, value, ("true", "false"))
    return value


def _first(said: Mapping[str, Any], *names: str) -> Any:
    return next((said[name] for name in names if said.get(name) is not None), None)


def _refused(path: Path, name: str, value: object, known: Any) -> RecipeFileError:
    return RecipeFileError(f"{path} has {name} {str(value)[:40]!r}; known are {', '.join(known)}.", _INSTEAD)
