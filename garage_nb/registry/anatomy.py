"""Anatomy: a hash that two models share only when one catalogue is true of both, worked out without running them.

Config and module tree both count: activations and multipliers stand in the config alone, while adapters, pruning and
swapped modules show in the tree alone. A difference that turns out not to matter costs one more probe; one that is
overlooked would make a stored catalogue wrong. So whatever is in doubt goes in.
"""

from __future__ import annotations

import hashlib
import inspect
import json
from collections.abc import Iterator
from dataclasses import is_dataclass
from importlib.metadata import version
from types import CodeType, FunctionType
from typing import Any

from torch import nn

PROBE_VERSION = 7  # raise it whenever the probe would say something else of a model it has seen before

_NOT_SHAPING = {
    "_name_or_path", "name_or_path", "_commit_hash", "transformers_version", "architectures", "dtype", "torch_dtype",
    "use_cache", "return_dict", "id2label", "label2id", "problem_type", "training",
}  # fmt: skip
_VERSIONED = {"torch", "transformers", "builtins"}  # packages whose code is known by their version


def anatomy_of(model: nn.Module) -> str:
    """64 hex digits: equal for models of one class, config, module tree, dtype and transformers version."""
    config: Any = getattr(model, "config", None)
    told = _is_config(config)
    kinds = list(dict.fromkeys(type(module) for module in model.modules()))
    facts = {
        "probe": PROBE_VERSION,
        "transformers": version("transformers"),
        "config": _shaping(config.to_dict()) if told else None,
        "kernels": list(_kernels(config)) if told else None,
        "classes": [(_name(kind), list(_code_of(kind))) for kind in kinds],
        "tree": list(_tree(model, kinds, attributes=not told)),
    }
    text = json.dumps(facts, sort_keys=True, separators=(",", ":"), default=repr)
    return hashlib.sha256(text.encode()).hexdigest()


def _shaping(value: Any) -> Any:
    """A config's dict without what differs between two loads of one model, in nested configs too; keys as text."""
    if not isinstance(value, dict):
        return value
    named = {str(key): _shaping(item) for key, item in value.items()}
    return {key: item for key, item in named.items() if key not in _NOT_SHAPING and not key.startswith("output_")}


def _kernels(config: Any) -> Iterator[tuple[Any, ...]]:
    """The attention and expert kernels chosen: they do not stand in `to_dict`, yet decide which modules are called."""
    yield tuple(getattr(config, f"_{part}_implementation", None) for part in ("attn", "experts"))
    for name in sorted(getattr(config, "sub_configs", {})):
        yield from _kernels(getattr(config, name, None))


def _tree(model: nn.Module, kinds: list[type], *, attributes: bool) -> Iterator[tuple[Any, ...]]:
    """Modules as (class, forward, children, parameters, attributes), by number, so that what is shared shows."""
    modules = {id(module): number for number, module in enumerate(model.modules())}
    parameters = {id(parameter): number for number, parameter in enumerate(model.parameters())}
    for module in model.modules():
        children = {name: modules[id(child)] for name, child in module._modules.items() if child is not None}
        own = {
            name: (parameters[id(tensor)], tuple(tensor.shape), str(tensor.dtype))
            for name, tensor in module.named_parameters(recurse=False, remove_duplicate=False)
        }
        told = _attributes(module) if attributes or not _is_versioned(type(module)) else {}
        yield kinds.index(type(module)), _function(module.forward), children, own, told


def _attributes(module: nn.Module) -> dict[str, Any]:
    """Settings such as `num_heads`, `norm_first` or an activation function, where no config speaks for them."""
    plain = (bool, int, float, str, tuple, list, dict)
    public = {name: value for name, value in vars(module).items() if not name.startswith("_") | (name in _NOT_SHAPING)}
    told = {name: repr(value) for name, value in public.items() if isinstance(value, plain) or _is_settings(value)}
    return told | {name: _function(value) for name, value in public.items() if callable(value)}


def _code_of(kind: type) -> Iterator[Any]:
    """What a class does, unless its package has a version: in a notebook a class changes whenever its cell is run."""
    for owner in kind.__mro__:
        for value in () if _is_versioned(owner) else vars(owner).values():
            function = getattr(value, "fget", None) or getattr(value, "__func__", value)
            if callable(function):
                yield _function(function)


def _function(function: Any) -> tuple[Any, ...]:
    """Name and, unless its package has a version, code. Wrappers that say what they wrap are looked through."""
    bare = inspect.unwrap(function)
    code = getattr(bare, "__code__", None)
    return _name(bare), None if code is None or _is_versioned(bare) else _instructions(code)


def _instructions(code: CodeType) -> tuple[Any, ...]:
    """Byte code, names and constants, without file and line; sets among the constants in a fixed order."""
    return code.co_code.hex(), code.co_names, [_constant(value) for value in code.co_consts]


def _constant(value: Any) -> Any:
    if isinstance(value, CodeType):
        return _instructions(value)
    return sorted(map(repr, value)) if isinstance(value, frozenset) else repr(value)


def _is_config(value: Any) -> bool:
    return callable(getattr(value, "to_dict", None))


def _is_settings(value: Any) -> bool:
    """A user's own config; transformers' are dataclasses too, but name the folder they came from."""
    return is_dataclass(value) and not _is_config(value)


def _is_versioned(thing: type | FunctionType) -> bool:
    return str(thing.__module__).partition(".")[0] in _VERSIONED


def _name(thing: Any) -> str:
    """Module and name of a class or function; the class of anything else, such as a partial."""
    named = thing if hasattr(thing, "__qualname__") else type(thing)
    return f"{named.__module__}.{named.__qualname__}"
