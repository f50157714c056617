"""Renaming: a sheet said anew without changing what it means, so that two that mean the same are equal."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import replace

from ...errors import BuildError
from ..graft import Graft, Merge, Stack, Swap
from ..ref import Ref
from ..sheet import BuildSheet

_BOUNDS = re.compile(r"(\d+):(\d+)")
_Change = Callable[[Ref], Ref]


def by_model(sheet: BuildSheet) -> BuildSheet:
    """Donors under what they are loaded by, and only those that are used. BuildError for a live model."""

    def named(donor: str) -> str:
        source = sheet.donors.get(donor or sheet.base, donor or sheet.base)
        if not isinstance(source, str):
            raise BuildError(f"{donor or sheet.base} is a model in memory.", "Save it, and name its folder as donor.")
        return source

    grafts = tuple(_with(graft, lambda ref: Ref(named(ref.donor), ref.parts)) for graft in sheet.grafts)
    base, tokenizer = named(""), named(sheet.tokenizer) if sheet.tokenizer else ""
    used = dict.fromkeys([base, *(ref.donor for graft in grafts for ref in graft.refs)])
    return replace(sheet, base=base, donors={name: name for name in used}, grafts=grafts, tokenizer=tokenizer)


def spelled_out(sheet: BuildSheet) -> BuildSheet:
    """Layers of stacks as ranges with both bounds. BuildError where only an open model could tell them."""
    return replace(sheet, grafts=tuple(_ranges(graft) if isinstance(graft, Stack) else graft for graft in sheet.grafts))


def _ranges(stack: Stack) -> Stack:
    return Stack(tuple(piece for ref in stack.layers for piece in _pieces(ref, len(stack.layers))))


def _pieces(ref: Ref, refs: int) -> Iterator[Ref]:
    for text in (ref.parts or "all").split(","):
        if text.isdigit():
            yield Ref(ref.donor, f"{text}:{int(text) + 1}")
        elif _BOUNDS.fullmatch(text) or (text == "all" and refs == 1):
            yield Ref(ref.donor, text)
        else:
            raise BuildError(f"A recipe has layers from and to, not {ref}.", "Write both bounds: 0:4.")


def _with(graft: Graft, change: _Change) -> Graft:
    if isinstance(graft, Stack):
        return Stack(tuple(map(change, graft.layers)))
    if isinstance(graft, Swap):
        return replace(graft, source=change(graft.source))
    if isinstance(graft, Merge):
        return replace(graft, sources=tuple(map(change, graft.sources)))
    return graft
