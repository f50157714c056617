"""Sources: what was brought to a sheet, in words or as an object, under a name on it."""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path
from typing import Any

from torch import nn

from ..extract.part import ExtractedPart
from .layout.donors import is_part_file
from .ref import Ref
from .sheet import BuildSheet

_BETWEEN = re.compile(r",(?![^\[]*\])")  # sources, not the parts of one


def brought(sheet: BuildSheet, source: Any) -> tuple[BuildSheet, Ref]:
    """The sheet with the donor in it, and how it is said there.

    A text is `b[attention_5]`, where `b` is a donor or what `load` takes, or a part file. A model or a part that is
    there already is named after what it came from.
    """
    if isinstance(source, Ref):
        return sheet, source
    if isinstance(source, str) and not is_part_file(source):
        return sheet, Ref.of(source)
    known = next((name for name, donor in sheet.donors.items() if donor is source), None)
    name = known or _free(_named(source), sheet)
    return replace(sheet, donors={**sheet.donors, name: source}), Ref(name)


def all_brought(sheet: BuildSheet, sources: str) -> tuple[BuildSheet, tuple[Ref, ...]]:
    """As `brought`, of several with commas between them: `b[0,1],c`."""
    refs = []
    for text in _BETWEEN.split(sources):
        sheet, ref = brought(sheet, text.strip())
        refs.append(ref)
    return sheet, tuple(refs)


def _named(source: Any) -> str:
    """A word, without what a reference is written with."""
    if isinstance(source, str | Path):
        said = Path(source).stem
    elif isinstance(source, ExtractedPart):
        said = source.description.name
    else:
        model = source if isinstance(source, nn.Module) else getattr(source, "model", source)
        said = str(getattr(getattr(model, "config", None), "name_or_path", "")) or type(model).__name__
    word = said.rstrip("/").rpartition("/")[2]
    plain = "".join("_" if letter in "[],;" or letter.isspace() else letter for letter in word) or "donor"
    return plain if Ref.of(plain) == Ref(plain) else f"donor_{plain}"  # not layers of the base, such as 0


def _free(word: str, sheet: BuildSheet) -> str:
    taken = {*sheet.donors, sheet.base}
    numbered = (word if count == 1 else f"{word}_{count}" for count in range(1, len(taken) + 2))
    return next(name for name in numbered if name not in taken)
