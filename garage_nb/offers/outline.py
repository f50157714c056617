"""Outline: the table of verbs read off the source of Garage, so that nobody who presses Tab waits for torch.

The methods of `garage/` are marked as they would be on import, but have no body. What is missed is missed in a test:
the table must equal that of the real Garage.
"""

from __future__ import annotations

import ast
import inspect
from collections.abc import Callable, Iterator
from functools import cache
from pathlib import Path
from typing import Any

from ..verbs import Verb, verb, verbs_of

PACKAGE = Path(__file__).parent.parent
Default = Callable[[ast.expr], Any]


@cache
def outlined() -> dict[str, Verb]:
    """What `verbs_of(Garage)` gives."""
    trees = [_parsed(path) for path in sorted((PACKAGE / "garage").glob("*.py"))]
    written = {node.name: (node, tree) for tree in trees for node in tree.body if isinstance(node, ast.ClassDef)}

    @cache
    def class_of(name: str) -> type:
        node, tree = written[name]
        bases = [base.id for base in node.bases if isinstance(base, ast.Name) and base.id in written]
        return type(name, tuple(map(class_of, bases)), dict(_methods(node, tree)))

    return verbs_of(class_of("Garage"))


def _methods(owner: ast.ClassDef, tree: ast.Module) -> Iterator[tuple[str, Any]]:
    for node in owner.body:
        for mark in getattr(node, "decorator_list", ()):
            if isinstance(node, ast.FunctionDef) and isinstance(mark, ast.Call) and ast.unparse(mark.func) == "verb":
                aliases = [ast.literal_eval(alias) for alias in mark.args]
                options = {str(option.arg): ast.literal_eval(option.value) for option in mark.keywords}
                yield node.name, verb(*aliases, **options)(_method(node, lambda value: _default(value, tree)))


def _method(node: ast.FunctionDef, default: Default) -> Any:
    def method() -> None: ...

    method.__name__, method.__doc__ = node.name, ast.get_docstring(node)
    returns = inspect.Signature.empty if node.returns is None else ast.unparse(node.returns)
    setattr(method, "__signature__", inspect.Signature(_parameters(node.args, default), return_annotation=returns))  # noqa: B010
    return method


def _parameters(written: ast.arguments, default: Default) -> list[inspect.Parameter]:
    missing = [None] * (len(written.args) - len(written.defaults))
    by_place = zip(written.args, [*missing, *written.defaults], strict=True)
    by_name = zip(written.kwonlyargs, written.kw_defaults, strict=True)
    parameter, empty = inspect.Parameter, inspect.Parameter.empty

    def made(item: ast.arg, value: ast.expr | None, kind: Any) -> inspect.Parameter:
        left_out = empty if value is None else default(value)
        return parameter(item.arg, kind, default=left_out, annotation=_annotation(item))

    first = [made(item, value, parameter.POSITIONAL_OR_KEYWORD) for item, value in by_place]
    return [*first, *(made(item, value, parameter.KEYWORD_ONLY) for item, value in by_name)]


def _annotation(item: ast.arg) -> Any:
    return inspect.Parameter.empty if item.annotation is None else ast.unparse(item.annotation)


def _default(value: ast.expr, tree: ast.Module) -> Any:
    """A constant, or the name of one that was imported: that file says what it is."""
    if not isinstance(value, ast.Name):
        return ast.literal_eval(value)
    origin = next(
        node
        for node in tree.body
        if isinstance(node, ast.ImportFrom) and value.id in [alias.name for alias in node.names]
    )
    path = PACKAGE.joinpath(*str(origin.module).split(".")).with_suffix(".py")
    return next(
        ast.literal_eval(node.value)
        for node in _parsed(path).body
        if isinstance(node, ast.Assign) and ast.unparse(node.targets[0]) == value.id
    )


def _parsed(path: Path) -> ast.Module:
    return ast.parse(path.read_text(encoding="utf-8"))
