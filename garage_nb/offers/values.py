"""What an argument of a verb may be: told by its annotation where that says it, else by its name.

To teach one more: a line in NAMED.
"""

from __future__ import annotations

import ast
import inspect
import sys
from collections.abc import Callable, Iterator, Mapping
from dataclasses import fields
from pathlib import Path
from types import ModuleType
from typing import Any

from ..verbs import Verb
from .offer import Offer, Scene, fitting, of_kind
from .selectors import parts, selectors

Found = tuple[str, list[Offer]]


def values(entry: Verb, parameter: inspect.Parameter, text: str, scene: Scene) -> Found:
    """The end of the text that is to be replaced, and with what."""
    annotation = str(parameter.annotation)
    if "Layers" in annotation:
        return selectors(text, scene.spec)
    if choices := _choices(annotation):
        return text, fitting(text, of_kind("value", choices))
    for names, holds, find in NAMED:
        if parameter.name in names and holds(entry, annotation):
            return find(text, scene)
    return (text, variables(text, scene.variables)) if annotation == "Any" and not text else (text, [])


def variables(text: str, known: Mapping[str, Any], kind: type = object) -> list[Offer]:
    """`@name` for those of a kind; a module of Python's is nothing to pass on."""
    named = (
        f"@{name}" for name, value in known.items() if isinstance(value, kind) and not isinstance(value, ModuleType)
    )
    return of_kind("variable", [name for name in named if name.startswith(text)])


def verbs(text: str, scene: Scene) -> Found:
    """Those that have a use for the cell, where there is one; an alias once it is begun."""
    entries = [entry for entry in scene.verbs.values() if not scene.cell or entry.prompted or entry.edits]
    names = [entry.name for entry in entries] + [alias for entry in entries for alias in entry.aliases if text]
    return text, fitting(text, of_kind("verb", names))


def _choices(annotation: str) -> list[str]:
    """Of a `Literal`."""
    tree = ast.walk(ast.parse(annotation, mode="eval")) if "Literal" in annotation else ()
    literals = [node.slice for node in tree if isinstance(node, ast.Subscript) and ast.unparse(node.value) == "Literal"]
    named = (leaf.value for node in literals for leaf in ast.walk(node) if isinstance(leaf, ast.Constant))
    return [value for value in named if isinstance(value, str)]


def _models(text: str, scene: Scene) -> Found:
    from ..showroom.shelf import names

    if text.startswith((".", "~", "/")):
        return text, [offer for offer in _files(text, scene)[1] if offer.text.endswith("/")]
    torch = sys.modules.get("torch")  # where there is none, no variable holds a module of its
    live = variables("", scene.variables, torch.nn.Module) if torch is not None else []
    return text, fitting(text, [*of_kind("model", [*names(), *(_catalogued() if torch else ())]), *live])


def _catalogued() -> list[str]:
    from ..registry.store import SpecStore

    return SpecStore().filed("id")


def _statistics(text: str, scene: Scene) -> Found:
    from ..core.stats import NAMES

    return text, fitting(text, of_kind("value", NAMES))


def _metrics(text: str, scene: Scene) -> Found:
    from ..analyze.causal.metrics import METRICS

    return text, [*fitting(text, of_kind("value", METRICS)), *variables(text, scene.variables)]


def _settings(text: str, scene: Scene) -> Found:
    from ..answers.settings import Settings

    return text, fitting(text, of_kind("value", [entry.name for entry in fields(Settings)]))


def _spans(text: str, scene: Scene) -> Found:
    from ..core.tokens import SPANS

    return text, fitting(text, of_kind("value", SPANS))


def _files(text: str, scene: Scene) -> Found:
    """Folders end in a slash. Hidden ones are offered once a dot is written."""
    folder, _, begun = text.rpartition("/")
    folder = folder + "/" if "/" in text else ""
    return text, of_kind("file", [folder + name for name in _entries(folder or ".", begun)])


def _entries(folder: str, begun: str) -> Iterator[str]:
    for path in sorted(Path(folder).expanduser().glob("*")):
        if path.name.startswith(begun) and path.name.startswith(".") == begun.startswith("."):
            yield f"{path.name}/" if path.is_dir() else path.name


NAMED: list[tuple[set[str], Callable[[Verb, str], bool], Callable[[str, Scene], Found]]] = [
    ({"source", "model", "a", "b"}, lambda entry, annotation: not entry.model, _models),
    ({"component"}, lambda entry, annotation: True, lambda text, scene: parts(text, scene.spec)),
    ({"statistic"}, lambda entry, annotation: True, _statistics),
    ({"metric"}, lambda entry, annotation: True, _metrics),
    ({"name"}, lambda entry, annotation: entry.name == "config", _settings),
    ({"tokens"}, lambda entry, annotation: annotation == "str", _spans),
    ({"verb"}, lambda entry, annotation: True, verbs),
    ({"save", "file", "path"}, lambda entry, annotation: True, _files),
]
