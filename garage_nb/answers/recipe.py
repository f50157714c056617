"""Written: a recipe as one would type it, in either language, and where it was saved."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, fields
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..core.tokens import Tokens
from ..inject.edit import Edit, short
from ..inject.recipe import Recipe
from ..verbs import Verb, quoted
from ..view.cards import Card
from ..view.frames import framed
from ..view.shown import Shown

if TYPE_CHECKING:
    import pandas as pd


@dataclass(frozen=True, repr=False)
class Written(Shown):
    """`file` is where the recipe was saved, if it was. Tensors and modules are named `value_1`, `value_2` …"""

    recipe: Recipe
    verbs: dict[str, Verb]
    file: Path | None = None

    @property
    def python(self) -> str:
        """Lines that make the same changes through a `garage`, for a script."""
        return self._lines(_python)

    @property
    def magic(self) -> str:
        """Lines of the %garage language that make the same changes."""
        return self._lines(_magic)

    @property
    def values(self) -> dict[str, Any]:
        """What the lines name, by name."""
        found = {id(value): value for edit in self.recipe for value in edit.values().values() if not _is_plain(value)}
        return {f"value_{number}": value for number, value in enumerate(found.values(), start=1)}

    def frame(self) -> pd.DataFrame:
        """One row an edit, in the order they act."""
        rows = zip(self.magic.splitlines(), self.python.splitlines(), strict=True)
        return framed("edit", range(1, len(self.recipe) + 1), ["magic", "python"], list(rows))

    def picture(self) -> Card:
        if not len(self.recipe):
            return Card("Nothing is changed.", note="Try: scale layer_0 0.5")
        facts = {"magic": self.magic, "python": self.python}
        facts |= {name: short(value) for name, value in self.values.items()}
        kept = "" if self.file is None else f"Saved to {self.file}."
        return Card("recipe", facts, note=kept or "recipe save FILE keeps it, recipe apply FILE brings it back.")

    def _lines(self, line: Callable[[Edit, str, dict[int, str]], str]) -> str:
        names = {id(value): name for name, value in self.values.items()}
        return "\n".join(
            line(edit, edit.verb, names) if self._is_made(edit.verb) else f"# {edit}: no verb makes this one"
            for edit in self.recipe
        )

    def _is_made(self, verb: str) -> bool:
        """By a verb of that name that changes something: `debate` only shows a debate."""
        return verb in self.verbs and self.verbs[verb].edits


def _python(edit: Edit, verb: str, names: dict[int, str]) -> str:
    def said(value: Any) -> str:
        return names.get(id(value)) or (_literal(str(value)) if isinstance(value, str | Tokens) else repr(value))

    given = [said(value) for value, option in _said(edit) if option is None]
    return f"garage.{verb}({', '.join([*given, *(f'{name}={said(value)}' for value, name in _said(edit) if name)])})"


def _magic(edit: Edit, verb: str, names: dict[int, str]) -> str:
    def said(value: Any) -> str:
        text = ",".join(map(str, value)) if isinstance(value, tuple) else str(value)
        return f"@{names[id(value)]}" if id(value) in names else quoted(text)

    words = [f"--{name} {said(value)}" if name else said(value) for value, name in _said(edit)]
    return " ".join(["%garage", verb, *words])


def _said(edit: Edit) -> list[tuple[Any, str | None]]:
    """What has to be said of it, with the option it is said by; positions first, `tokens` last."""
    plain = [(getattr(edit, item.name), None) for item in fields(edit) if not item.metadata]
    options = [item for item in fields(edit) if item.metadata]
    told = [(getattr(edit, item.name), item.name) for item in options if getattr(edit, item.name) != item.default]
    return [*plain, *sorted(told, key=lambda pair: pair[1] == "tokens")]


def _literal(text: str) -> str:
    return f'"{text}"' if text.isprintable() and not {'"', "\\"} & set(text) else repr(text)


def _is_plain(value: Any) -> bool:
    whole = isinstance(value, tuple) and all(isinstance(item, int) for item in value)
    return value is None or whole or isinstance(value, str | int | float | Tokens)
