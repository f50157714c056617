"""Licence: what the card of a model says about it, in one line."""

from __future__ import annotations

import os
import re
from pathlib import Path
from typing import Any

from ...plain import one_line, shorten

UNKNOWN = "unknown"
_READ = 1 << 16  # bytes of a README
_HEAD = re.compile(r"\A---\s*\n(.*?)\n---\s*$", re.DOTALL | re.MULTILINE)
_LINE = re.compile(r"^license(?:_name)?:\s*[\"']?([^\s\"'#][^\"'#\n]*)", re.MULTILINE)


def licence_of(config: Any) -> str:
    """From the config, else from the README beside the model, where either is on this machine; "unknown" if neither."""
    said = getattr(config, "license", None)
    if isinstance(said, str) and said.strip():
        return shorten(one_line(said.strip()), 80)
    readme = _readme(str(getattr(config, "name_or_path", "") or ""), getattr(config, "_commit_hash", None))
    return UNKNOWN if readme is None else _in_front_matter(readme)


def _readme(name: str, revision: str | None) -> Path | None:
    if not name:
        return None
    if os.path.isdir(name):
        return Path(name) / "README.md"
    from huggingface_hub import try_to_load_from_cache
    from huggingface_hub.errors import HFValidationError

    try:
        found = try_to_load_from_cache(name, "README.md", revision=revision)
    except HFValidationError:
        return None
    return Path(found) if isinstance(found, str) else None


def _in_front_matter(readme: Path) -> str:
    try:
        with readme.open("rb") as file:
            text = file.read(_READ).decode("utf-8", "replace").replace("\r\n", "\n")
    except OSError:
        return UNKNOWN
    head = _HEAD.match(text)
    line = _LINE.search(head[1]) if head else None
    return shorten(one_line(line[1].strip()), 80) if line else UNKNOWN
