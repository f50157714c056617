"""Check: what would become of a sheet, graft by graft, before anything is built."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from functools import partial
from typing import TYPE_CHECKING

import torch
from torch import Tensor

from ...errors import BuildError, GarageError, InputError, UnavailablePartError, UnknownPartError
from ...view.cards import Card
from ...view.frames import framed
from ...view.shown import Shown
from ..folding.fold import Folded, folded
from ..ref import Ref
from ..sheet import BuildSheet
from ..stitching.stitch import Stitch
from ..written import demand_sayable
from .donors import Donor, opened
from .grafting import grafted
from .layout import Layout, names_inside
from .tokens import teller
from .whole import counted, empty, finished, shared, speaker

if TYPE_CHECKING:
    import pandas as pd

FITS, ADAPTED, REFUSED, FOLDS, STAYS = (
    "fits",
    "fits with an adapter",
    "refused",
    "folds into weights",
    "stays a runtime edit",
)
WHOLE = "the whole"


@dataclass(frozen=True)
class Finding:
    """Of one graft or edit. `refusal` is there where it cannot be built."""

    graft: str
    verdict: str = FITS
    reason: str = ""
    refusal: BuildError | None = None

    @property
    def said(self) -> str:
        return f"{self.verdict}: {self.reason}" if self.reason else self.verdict


@dataclass(frozen=True, repr=False, eq=False)
class Check(Shown):
    """A verdict for each graft and for the whole; `facts` about the result, by name, where there could be one."""

    sheet: BuildSheet
    donors: Mapping[str, Donor]
    findings: tuple[Finding, ...]
    facts: Mapping[str, str]
    grafted: Layout
    folding: Folded

    @property
    def ok(self) -> bool:
        return all(finding.refusal is None for finding in self.findings)

    def __bool__(self) -> bool:
        return self.ok

    def demand(self) -> Layout:
        """The layout to build. BuildError with the first reason why there can be none."""
        for finding in self.findings:
            if finding.refusal is not None:
                raise finding.refusal
        return self.folding.layout

    def frame(self) -> pd.DataFrame:
        """One row a graft or edit, and one for the whole."""
        rows = [(finding.verdict, finding.reason) for finding in self.findings]
        return framed("graft", [finding.graft for finding in self.findings], ["verdict", "reason"], rows)

    def picture(self) -> Card:
        *steps, whole = self.findings
        said = {str(number): f"{step.graft}\n{step.said}" for number, step in enumerate(steps, start=1)}
        refused = {"refused": whole.reason} if whole.refusal else {}
        title = f"{self.sheet.base}: {'can be built' if self.ok else 'cannot be built'}"
        return Card(title, {**said, **refused, **self.facts}, changed=frozenset(said))


def check(sheet: BuildSheet) -> Check:
    """Opens the donors and lays every graft out; builds nothing. Errors are those of opening a model."""
    donors = donors_of(sheet)
    base = donors[sheet.base]
    layout: Layout = Layout.of(base, sheet.texts)
    findings: list[Finding] = []
    for graft in sheet.grafts:
        layout, finding = _tried(str(graft), layout, partial(grafted, graft, donors=donors))
        findings.append(finding)
    folding, found = _folding(layout, sheet)
    unfolded = layout
    findings += found
    layout, finding = _tried(WHOLE, folding.layout, partial(_whole, sheet, donors))
    facts = {} if finding.refusal else _facts(layout)
    return Check(sheet, donors, (*findings, finding), facts, unfolded, replace(folding, layout=layout))


def donors_of(sheet: BuildSheet) -> dict[str, Donor]:
    """By their names on the sheet; the base also without one. A model named several times is opened once."""
    for name in sheet.used:
        _demand_name(name)
    found = {name: opened(name, sheet.donors.get(name, name), sheet.dtype) for name in sheet.used}
    return {**found, "": found[sheet.base]}


def _demand_name(name: str) -> None:
    """BuildError for a donor that no text of a reference could name, so that no file could say what was built."""
    try:
        sayable = Ref.of(name) == Ref(name) and Ref.of(str(Ref(name, "0"))) == Ref(name, "0")
    except InputError:
        sayable = False
    if not sayable:
        raise BuildError(f"No donor can be called {name!r}.", "Give it a short name, such as b.")


def _tried(said: str, layout: Layout, graft: Callable[[Layout], Layout]) -> tuple[Layout, Finding]:
    """A graft that is refused leaves the layout as it was, so that those after it are judged too."""
    try:
        laid = graft(layout)
        return laid, _joined(said, [stitch for place, stitch in laid.stitches.items() if place not in layout.stitches])
    except (BuildError, UnknownPartError, UnavailablePartError) as error:
        return layout, _refused(said, error)


def _joined(said: str, stitches: list[Stitch]) -> Finding:
    """A graft that fits, and what becomes of the adapters it brought."""
    if not stitches:
        return Finding(said)
    apart = [stitch for stitch in stitches if stitch.why_not]
    if apart:
        return Finding(said, ADAPTED, f"it becomes a module of its own, for {apart[0].why_not}")
    return Finding(said, ADAPTED, "the maps become weights")


def _refused(said: str, error: GarageError) -> Finding:
    return Finding(said, REFUSED, f"{error.what} {error.hint}", BuildError(error.what, error.hint))


def _folding(layout: Layout, sheet: BuildSheet) -> tuple[Folded, list[Finding]]:
    """All edits, or none of them where one cannot act on the result, or no sheet could say it."""
    try:
        demand_sayable(sheet.edits)
        found = folded(layout, sheet.edits)
    except GarageError as error:
        said = "; ".join(map(str, sheet.edits))
        return Folded(layout), [_refused(said, error)]
    rows = [Finding(str(edit), FOLDS) for edit in found.folded]
    return found, [*rows, *(Finding(str(edit), STAYS, f"it {why}") for edit, why in found.stays)]


def _whole(sheet: BuildSheet, donors: Mapping[str, Donor], layout: Layout) -> Layout:
    done = finished(layout)
    _demand_uncast(sheet.out_dtype, done)
    empty(done)
    teller(sheet, done, donors)
    return done


def _demand_uncast(out_dtype: str, layout: Layout) -> None:
    """BuildError for a wrapper in another precision: a guest also keeps what its model computed, such as angles."""
    if out_dtype and layout.apart and layout.base.dtype != getattr(torch, out_dtype):
        raise BuildError(
            f"{layout.apart[0].guest} becomes a module of its own, which is not cast to {out_dtype} afterwards.",
            f"Say dtype {out_dtype} in place of out_dtype, so that the donors are loaded in it.",
        )


def _facts(layout: Layout) -> dict[str, str]:
    in_donors, stays = shared(layout), counted(layout)
    kept = _count(tensor for name, tensor in stays.items() if name in in_donors)
    new = sum(tensor.numel() for name, tensor in stays.items() if name not in in_donors)
    new += sum(map(_guest, layout.apart))
    return {
        "class": _class(layout),
        "layers": str(layout.spec.num_layers),
        "weights": f"{kept + new:,}, of them {new:,} new; the others stay in the memory of the donors",
        "tokenizer": f"of {speaker(layout).name}",
    }


def _guest(stitch: Stitch) -> int:
    """Numbers of a guest's own copy and of the maps around it."""
    own = dict(names_inside(stitch.guest.part, stitch.guest.donor.tensors))
    host, guest = stitch.host.part.input_dim, stitch.guest.part.input_dim
    return _count(stitch.guest.donor.tensors[name] for name in own.values()) + 2 * host * guest + guest


def _class(layout: Layout) -> str:
    kind = type(layout.base.model).__name__
    if not layout.apart:
        return f"{kind}, a class of transformers"
    return f"a wrapper around {kind}, with guests of other kinds: plain transformers cannot load it, garage_nb can"


def _count(tensors: Iterable[Tensor]) -> int:
    return sum(tensor.numel() for tensor in {id(tensor): tensor for tensor in tensors}.values())
