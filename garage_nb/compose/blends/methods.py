"""Methods: every blend there is, by mergekit's name for it, and how one is made from words or JSON."""

from __future__ import annotations

import shlex
from collections.abc import Callable, Mapping
from dataclasses import MISSING, Field, fields
from typing import Any

from ...errors import InputError
from .blend import Blend, said
from .dare import DareLinear, DareTies
from .linear import Linear
from .passthrough import Passthrough
from .slerp import Slerp
from .task_arithmetic import TaskArithmetic
from .ties import Ties
from .value import Value, values

METHODS: dict[str, type[Blend]] = {
    kind.method: kind for kind in (Linear, Slerp, TaskArithmetic, Ties, DareLinear, DareTies, Passthrough)
}


def blend_from(method: str, given: Mapping[str, Any]) -> Blend:
    """`blend_from("slerp", {"t": "0.3"})`, with texts as on a command line or Python's own numbers and lists.

    InputError for a method, a parameter or a value that is none.
    """
    kind = METHODS.get(str(method))
    if kind is None:
        raise InputError(f"There is no method {str(method)[:40]!r} to merge by.", f"There are: {', '.join(METHODS)}.")
    known = parameters(kind)
    if unknown := sorted(map(str, given.keys() - known.keys())):
        raise InputError(f"{method} takes no {unknown[0][:40]!r}.", f"It takes: {', '.join(known)}.")
    if missing := [name for name, item in known.items() if item.default is MISSING and name not in given]:
        raise InputError(f"{method} needs {missing[0]}.", f"Say it: --{missing[0]} 0.5.")
    return kind(**{known[name].name: _READ[str(known[name].type)](value) for name, value in given.items()})


def blend_of(text: str) -> Blend:
    """What `str` of a blend says: `--method ties --weight 0.5,0.3 --density 0.2`. InputError as of `blend_from`."""
    try:
        words = shlex.split(text)
    except ValueError:
        words = []
    names, given = words[::2], words[1::2]
    if "--method" not in names or len(names) != len(given) or not all(name.startswith("--") for name in names):
        raise InputError(f"{text[:60]!r} says no way to merge.", "Say --method slerp --t 0.3.")
    said_so = {name[2:]: value for name, value in zip(names, given, strict=True)}
    return blend_from(said_so.pop("method"), said_so)


def blend_from_json(data: Any) -> Blend:
    """The blend that `to_json` wrote. InputError for anything else."""
    if not isinstance(data, dict) or "method" not in data:
        raise InputError(f"{str(data)[:60]!r} is no way to merge.", f"There are: {', '.join(METHODS)}.")
    return blend_from(data["method"], {name: value for name, value in data.items() if name != "method"})


def parameters(kind: type[Blend]) -> dict[str, Field[Any]]:
    """Its fields, by the names that a recipe has for them."""
    return {said(item): item for item in fields(kind)}


def truth(value: Any) -> bool:
    if isinstance(value, bool):
        return value
    if str(value).lower() in ("true", "false"):
        return str(value).lower() == "true"
    raise InputError(f"{str(value)[:40]!r} is neither true nor false.", "Say true or false, for all tensors alike.")


def _whole(value: Any) -> int:
    try:
        if not isinstance(value, bool | float):
            return int(value)
    except (TypeError, ValueError):
        pass
    raise InputError(f"{str(value)[:40]!r} is no whole number.", "Give one, such as 0.")


_READ: dict[str, Callable[[Any], Any]] = {"Value": Value.of, "Values": values, "bool": truth, "int": _whole}
