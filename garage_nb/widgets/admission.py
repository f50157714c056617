"""Admission: what of all that a page can send is taken at all. What it means is for the trait or the command to say."""

from __future__ import annotations

import json
from collections.abc import Callable
from inspect import signature
from typing import Any, TypeVar

from ..errors import InputError, nearest

LARGEST_MESSAGE = 64_000  # characters of JSON; a 100-layer model with every part selected takes a quarter of it
STYLING = {"layout"}  # what ipywidgets itself lets a caller set
_MARK = "__garage_command__"

Method = TypeVar("Method", bound=Callable[..., Any])


def command(method: Method) -> Method:
    """Mark a method that the page may call: `model.send({kind: "drop", edit: 2})` is `self.drop(edit=2)`."""
    setattr(method, _MARK, True)
    return method


def called(panel: Any, content: object) -> Callable[[], Any]:
    """The command a message asks for. InputError for any other message, and for arguments that do not fit."""
    check_plain("a message", content)
    arguments = dict(content) if isinstance(content, dict) else {}
    name = arguments.pop("kind", None)
    method: Any = getattr(type(panel), name, None) if isinstance(name, str) else None
    if not getattr(method, _MARK, False):
        raise InputError("The page sent a message this panel does not know.", "Run the cell again.")
    try:
        bound = signature(method).bind(panel, **arguments)
    except TypeError:
        raise InputError(f"The page sent {name!r} with other arguments than it takes.", "Run the cell again.") from None
    return lambda: method(*bound.args, **bound.kwargs)


def check_plain(what: str, value: object) -> None:
    try:
        size = len(json.dumps(value, allow_nan=False))
    except (TypeError, ValueError, RecursionError):
        raise InputError(f"The page sent no plain data for {what}.", "Run the cell again.") from None
    if size > LARGEST_MESSAGE:
        raise InputError(f"The page sent {size} characters for {what}.", f"At most {LARGEST_MESSAGE} are taken.")


def refuse_unknown(widget: type, options: dict[str, Any]) -> None:
    unknown = next((name for name in options if name not in STYLING), None)
    if unknown:
        known = [name for name in signature(widget).parameters if name != "options"] + sorted(STYLING)
        raise InputError(f"{widget.__name__} has no option {unknown!r}.", f"Nearest: {nearest(unknown, known)}.")
