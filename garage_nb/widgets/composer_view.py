"""What the composer shows of a sheet: plain words, worked out elsewhere. It holds no model."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Any

from ..compose.assembly.hybrid import Hybrid
from ..compose.assembly.proof import Proofs
from ..compose.layout.check import Check, Finding
from ..compose.layout.donors import Donor
from ..compose.layout.layout import names_inside
from ..compose.worktop.joints import Joint
from ..compose.worktop.offers import Offer
from ..compose.worktop.origins import Origin, origins
from ..compose.worktop.worktop import Worktop
from ..drawing.machine import Place, rows
from ..drawing.words import about
from ..plain import one_line
from ..registry.specs import ModelSpec
from ..view.bars import Table, number

PARTS = (
    "embedding", "position_embedding", "attention", "cross_attention", "mixer", "ffn", "full_layer", "output_head"
)  # fmt: skip
MARKS = {True: "✓", False: "✗", None: "–"}
Sent = dict[str, Any]
RESIDUAL = 3  # the column of the drawing where the stream is


@dataclass(frozen=True)
class Seen:
    """A sheet as it was checked: the places of its result and what stands there, and a verdict for each graft."""

    spec: ModelSpec
    origins: Mapping[str, Origin]
    findings: tuple[Finding, ...]
    facts: Mapping[str, str]

    @classmethod
    def of(cls, check: Check) -> Seen:
        return cls(check.grafted.spec, origins(check.grafted), check.findings, check.facts)

    @property
    def ok(self) -> bool:
        return all(finding.refusal is None for finding in self.findings)

    @property
    def changed(self) -> list[str]:
        return [place for place, origin in self.origins.items() if origin.changed]

    def column(self) -> Sent:
        return column("", self.spec, self.origins)

    def chips(self, worktop: Worktop, joints: list[Joint | None]) -> Sent:
        *steps, whole = [_finding(finding) for finding in self.findings]
        return {
            "grafts": [_chip(*pair) for pair in zip(steps, joints, strict=False)],
            "joints": [_joint(joint) for joint in joints],
            "edits": steps[len(joints) :],
            "whole": whole,
            "facts": [[one_line(label), one_line(fact)] for label, fact in self.facts.items()],
            "ok": self.ok,
            "undo": bool(worktop.past),
            "redo": bool(worktop.future),
        }


def column(
    name: str, spec: ModelSpec, came: Mapping[str, Origin] | None = None, only: Collection[str] | None = None
) -> Sent:
    """The parts of a model that can be moved, input first. `name` is the donor's, empty for the result. `only`: these,
    where not all are there.
    """
    drawn = []
    for row in rows(spec):
        places = [place for place in row.places if _is_drawn(place) and (only is None or place.name in only)]
        cells = [_cell(place, (came or {}).get(place.name, Origin())) for place in places]
        if cells:
            drawn.append({"stack": row.stack, "layer": row.layer, "cells": cells})
    return {"name": name, "title": one_line(spec.model_id), "about": about(spec), "rows": drawn}


def only(donor: Donor) -> list[str] | None:
    """The parts that are there of a model of which one was taken out; None where all are."""
    if donor.lifted is not None:
        return None
    return [name for name, part in donor.spec.parts.items() if any(names_inside(part, donor.tensors))]


def offered(donor: str, part: str, found: list[Offer]) -> Sent:
    return {"donor": donor, "part": part, "places": {one.place: [one.verdict, one_line(one.words)] for one in found}}


def proved(proofs: Proofs) -> list[list[str]]:
    """Mark, claim and what was found."""
    return [[MARKS[row.holds], one_line(row.claim), one_line(row.found)] for row in proofs.rows]


def fitted(hybrid: Hybrid) -> list[list[str]]:
    """Of each adapter, how it came about; that is no proof."""
    stitches = hybrid.check.folding.layout.stitches
    return [[MARKS[None], f"adapter of {place}", one_line(stitch.maps.said)] for place, stitch in stitches.items()]


def table(found: Table) -> Sent:
    """As texts, row by row."""
    columns = [[one_line(number(value)) for value in column.values] for column in found.columns]
    cells = [list(row) for row in zip(*columns, strict=True)]
    heads = [one_line(column.head) for column in found.columns]
    return {
        "heads": heads,
        "names": list(map(one_line, found.names)),
        "cells": cells,
        "caption": one_line(found.caption),
    }


def _is_drawn(place: Place) -> bool:
    return place.kind in PARTS or place.name == "layer_norm_final"


def _cell(place: Place, origin: Origin) -> Sent:
    return {
        "name": place.name,
        "kind": place.kind,
        "side": (place.column > RESIDUAL) - (place.column < RESIDUAL),
        "label": place.label or place.name,
        "words": one_line(place.words),
        "from": one_line(origin.words),
        "changed": origin.changed,
        "unavailable": one_line(place.unavailable),
    }


def _joint(joint: Joint | None) -> list[Any]:
    return [] if joint is None else [joint.adapter, list(joint.choices), one_line(joint.words)]


def _chip(said: list[str], joint: Joint | None) -> list[str]:
    """Without the adapter, which has words of its own there."""
    return said if joint is None else [said[0].removesuffix(f" --adapter {joint.adapter}"), *said[1:]]


def _finding(finding: Finding) -> list[str]:
    return [one_line(finding.graft), finding.verdict, one_line(finding.reason)]
