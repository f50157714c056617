"""Tokens: whose tokenizer goes with a result."""

from __future__ import annotations

from collections.abc import Mapping

from ...errors import BuildError
from ..sheet import BuildSheet
from .donors import Donor
from .layout import Layout
from .whole import speaker


def teller(sheet: BuildSheet, layout: Layout, donors: Mapping[str, Donor]) -> Donor:
    """The donor that the sheet names, else that of the embedding. BuildError where they number tokens differently."""
    reader = speaker(layout)
    if not sheet.tokenizer:
        return reader
    named = donors[sheet.tokenizer]
    ours, theirs = (who.spec.extra_info.get("tokenizer") for who in (reader, named))
    if theirs is None:
        raise BuildError(f"{named.name} has no tokenizer.", "Take that of another donor.")
    if ours and ours["digest"] != theirs["digest"]:
        raise BuildError(
            f"{named.name} numbers its tokens differently from {reader.name}, whose embedding reads them.",
            f"Take the tokenizer of {reader.name}.",
        )
    return named
