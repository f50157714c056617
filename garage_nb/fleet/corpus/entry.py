"""Entry: what a source holds for one text, before the model's tokenizer has read it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from numbers import Integral, Number
from typing import Any

import numpy as np
from torch import Tensor

from .text import SetAside, beginning

Raw = tuple[str, object] | SetAside  # where, and a text, token ids or a row of fields


@dataclass(frozen=True)
class Entry:
    """A text, or token ids that are taken as they are. `where` and `label` are a Text's."""

    where: str
    said: str | tuple[int, ...]
    label: str = ""


@dataclass(frozen=True)
class Fields:
    """Which field of a row is the text or its ids, and which the label, if any."""

    text: str
    label: str = ""

    @property
    def names(self) -> list[str]:
        return [name for name in (self.text, self.label) if name]

    def entry(self, raw: Raw) -> Entry | SetAside:
        """Anything that is neither text nor ids, or lacks its label, is set aside."""
        if isinstance(raw, SetAside):
            return raw
        where, value = raw
        row: Mapping[str, Any] = value if isinstance(value, Mapping) else {self.text: value}
        if missing := [name for name in self.names if name not in row]:
            return SetAside(where, f"it has no {missing[0]!r}", _said(row.get(self.text)))
        said, label = _text_or_ids(row[self.text]), _plain(row.get(self.label, ""))
        if said is None:
            return SetAside(where, f"it is {_kind(row[self.text])}, neither a text nor token ids")
        if not isinstance(label, str | Number):
            return SetAside(where, f"its {self.label!r} is {_kind(label)}, not a word or a number", _said(said))
        return Entry(where, said, str(label))


def _text_or_ids(value: object) -> str | tuple[int, ...] | None:
    """None for what is neither."""
    items = _plain(value)
    if isinstance(items, str):
        return items
    if not isinstance(items, Sequence) or isinstance(items, bytes | bytearray):
        return None
    whole = all(issubclass(kind, Integral) and not issubclass(kind, bool) for kind in set(map(type, items)))
    return tuple(map(int, items)) if whole else None


def _plain(value: object) -> object:
    return value.tolist() if isinstance(value, Tensor | np.ndarray) else value


def _said(value: object) -> str:
    return beginning(value) if isinstance(value, str) else ""


def _kind(value: object) -> str:
    return "null" if value is None else f"of type {type(value).__name__}"
