"""Any config, made small: every size it names, its lists of layers, the configs inside it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from .odd import CHANGES
from .sizes import FACTOR, HEAD_DIM, HEADS, INNER, KEPT, LARGE, LAYERS, PLACES, SIZES, TOKENS, WINDOW

_OWN = {"transformers_version", "architectures", "dtype", "torch_dtype", "id2label", "label2id", "per_layer_config"}
_HEADS = ("num_attention_heads", "num_heads")


def shrunk(config: Mapping[str, Any], layers: int, **changes: Any) -> dict[str, Any]:
    """Keyword arguments for the config's class: what `config` says, made small, then what the table changes."""
    kept = _kept_layers(config, layers)
    small = {name: _small(name, value, kept, _depth(config)) for name, value in config.items() if _belongs(name)}
    if _is_latent(config):
        small["num_key_value_heads"] = HEADS
    if _heads_are_wide(config):
        small["head_dim"] = 2 * HEAD_DIM
    small |= CHANGES.get(config.get("model_type", ""), {}) | changes
    depth = _depth(small) or layers
    return {name: _filled(value, depth) for name, value in small.items() if value is not ...}


def _belongs(name: str) -> bool:
    return not (name in _OWN or name.startswith("_"))


def _is_latent(config: Mapping[str, Any]) -> bool:
    """Latent attention has one key per head."""
    return "num_key_value_heads" in config and config.get("kv_lora_rank") is not None


def _heads_are_wide(config: Mapping[str, Any]) -> bool:
    """Whether heads are not just the width cut in parts: the small ones must not be either."""
    heads, width = next((config[name] for name in _HEADS if name in config), None), config.get("hidden_size")
    sized = isinstance(heads, int) and isinstance(width, int) and isinstance(config.get("head_dim"), int)
    return sized and "qk_rope_head_dim" not in config and heads * config["head_dim"] != width


def _small(name: str, value: Any, kept: list[int], depth: int) -> Any:
    if isinstance(value, Mapping):
        return shrunk(value, len(kept)) if "config" in name or "model_type" in value else value
    if isinstance(value, list):
        return _small_list(name, value, kept, depth)
    if value is None and name == "sliding_window":
        return WINDOW
    if isinstance(value, bool) or not isinstance(value, int | float):
        return value
    if FACTOR.search(name) and name not in SIZES:
        return 0.5 if value == 1 else value  # at 1, a factor that was forgotten would not show
    return _small_number(name, value, len(kept)) if isinstance(value, int) else value


def _small_number(name: str, value: int, layers: int) -> int:
    if name in LAYERS:
        return layers
    if name in TOKENS:
        return TOKENS[name]
    if name in SIZES:
        return min(value, SIZES[name])
    return min(value, INNER) if value > LARGE and not KEPT.search(name) else value


def _small_list(name: str, values: list[Any], kept: list[int], depth: int) -> list[Any]:
    if _is_places(name, values):
        return list(range(len(kept))) if values == list(range(depth)) else [min(values[0], 1)]
    if FACTOR.search(name):
        return [0.5 if value == 1 else value for value in values]
    cut = [values[layer] for layer in kept] if len(values) == depth else values
    return [min(value, SIZES[name]) for value in cut] if name in SIZES else cut


def _is_places(name: str, values: list[Any]) -> bool:
    """Whether the list names layers by their number."""
    numbers = all(isinstance(value, int) and not isinstance(value, bool) for value in values)
    return numbers and bool(PLACES.search(name)) and len(values) > 1 and values == sorted(set(values))


def _depth(config: Mapping[str, Any]) -> int:
    return next((config[name] for name in LAYERS if isinstance(config.get(name), int)), 0)


def _kept_layers(config: Mapping[str, Any], layers: int) -> list[int]:
    """Which layers the small model keeps: the first of each kind there is, again and again."""
    depth = _depth(config)
    lists = [values for name, values in config.items() if _by_layer(name, values, depth)]
    first: dict[str, int] = {}
    for layer in range(depth):
        first.setdefault(str([values[layer] for values in lists]), layer)
    chosen = list(first.values())[:layers]
    return (chosen * layers)[:layers] if len(chosen) > 1 else list(range(layers))


def _by_layer(name: str, values: Any, depth: int) -> bool:
    return isinstance(values, list) and len(values) == depth and not _is_places(name, values)


def _filled(value: Any, depth: int) -> Any:
    """A tuple of the table is a pattern, repeated for as many layers as there are."""
    return [value[layer % len(value)] for layer in range(depth)] if isinstance(value, tuple) else value
