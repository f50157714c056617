"""Provenance: what a hybrid is made of, in its config, for whoever meets it without its maker."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from typing import Any

from ...core.fingerprint import AtRest
from ...core.versions import made_with
from ..layout.donors import Donor
from ..sheet import BuildSheet
from ..written import sheet_to_json

KEY = "garage_build"  # in config.json
SHEET = "sheet"  # of what it says; not there where no sheet would build it again
Prints = Mapping[str, tuple[Donor, AtRest]]


def provenance(sheet: BuildSheet, prints: Prints) -> dict[str, Any]:
    """The sheet but for its texts, which are counted; each donor by id, revision and a hash of its weights; and the
    versions it was built with.
    """
    said = {**sheet_to_json(sheet), "texts": []}
    return {
        SHEET: said,
        "lines": [str(step) for step in (*sheet.grafts, *sheet.edits)],
        "fitted_on": {"texts": len(sheet.texts), "sha256": hashlib.sha256("\0".join(sheet.texts).encode()).hexdigest()},
        "donors": {name: about(donor, seen) for name, (donor, seen) in prints.items()},
        "built_with": made_with(),
    }


def taken_out(donor: Donor, seen: AtRest, lines: Sequence[str]) -> dict[str, Any]:
    """Of a model with less in it: no sheet says that, and `lines` do."""
    return {"lines": list(lines), "donors": {donor.name: about(donor, seen)}, "built_with": made_with()}


def about(donor: Donor, seen: AtRest) -> dict[str, Any]:
    """One donor, as it was `seen` before anything was built."""
    info = donor.whole.info
    return {
        "model_id": info["model_id"],
        "revision": info["revision"],
        "class": type(donor.model).__name__,
        "weights": seen.digest,
    }
