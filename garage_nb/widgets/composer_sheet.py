"""Traits and words that the composer takes: sheets, names of donors, names of folders and models."""

from __future__ import annotations

import keyword
import re
from collections.abc import Collection
from pathlib import Path
from typing import Any

import traitlets

from ..answers.models import known_models
from ..compose.written import sheet_from_json
from ..errors import InputError, nearest

_NAME = re.compile(r"[A-Za-z_]\w{0,23}")
_FOLDER = re.compile(r"\w[\w .-]{0,99}")
MOST = 8  # donors side by side


class Sheet(traitlets.TraitType):  # type: ignore[type-arg]  # traitlets before 5.10 takes none
    """A build sheet as JSON. Only its grafts and its name are taken: base and donors are those on the bench."""

    def validate(self, obj: Any, value: object) -> Any:
        found = sheet_from_json(value)
        for graft in found.grafts:
            for ref in graft.refs:
                if ref.donor and ref.donor not in (obj.base, *obj.donors):
                    raise InputError(
                        f"There is no donor {ref.donor!r} on the bench.", "Bring it: composer.add(name, source)."
                    )
        return obj.said(found.grafts, found.name)


def donor_name(name: object, taken: Collection[str]) -> str:
    """A name that a sheet and a line of Python can hold; the next free letter for an empty one."""
    if name == "":
        name = next(letter for letter in "bcdefghijklmnopqrstuvwxyz" if letter not in taken)
    if not isinstance(name, str) or not _NAME.fullmatch(name) or keyword.iskeyword(name):
        raise InputError(f"{str(name)[:40]!r} is no name for a donor.", "Name it with a word, such as b.")
    if name in taken:
        raise InputError(f"There is a {name!r} on the bench already.", "Give it another name.")
    if len(taken) > MOST:
        raise InputError(f"There are {MOST} donors on the bench, and no room for more.", "Make a second composer.")
    return name


def known_source(source: object) -> str:
    """A model that the page may ask for: one that is known by name here, or a folder."""
    text = source.strip() if isinstance(source, str) else ""
    if not is_known(text):
        near = nearest(text, [model.name for model in known_models().models])
        raise InputError(
            f"There is no model {text[:80]!r} here.", f"Nearest: {near}. From Python composer.add takes any."
        )
    return text


def folder_name(folder: object) -> str:
    """Beside the notebook, and nowhere else."""
    if not isinstance(folder, str) or not _FOLDER.fullmatch(folder):
        raise InputError(f"{str(folder)[:60]!r} is no plain folder name.", "Name it like hybrid.")
    return folder


def text(value: object) -> str:
    if not isinstance(value, str):
        raise InputError(f"{str(value)[:40]!r} names no part.", "Name one, such as attention_3.")
    return value


def is_known(name: str) -> bool:
    """By name on this machine, or a folder."""
    if any(name == model.name for model in known_models().models):
        return True
    try:
        return (Path(name) / "config.json").is_file()
    except (OSError, ValueError):  # a name too long, or with a zero in it
        return False
