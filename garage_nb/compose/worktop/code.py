"""Code: the lines of Python that make a sheet and build it."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping

from ..graft import Adapt, Graft, Stack, Swap
from ..sheet import BuildSheet

_SAID = ("dtype", "out_dtype", "tokenizer")


def as_python(sheet: BuildSheet, named: Mapping[str, str] | None = None) -> str:
    """A donor that is no text is said by its name on the sheet, as the variable that holds it; a field in `named` by
    what that says.
    """
    grafts = [_graft(graft) for graft in sheet.grafts]
    donors = [f"{name!r}: {source!r}" if isinstance(source, str) else f"{name!r}: {_variable(name)}"
              for name, source in sheet.donors.items()]  # fmt: skip
    fields = {field: repr(getattr(sheet, field)) for field in _SAID if getattr(sheet, field)}
    lines = [
        "sheet = BuildSheet(",
        f"    base={sheet.base!r},",
        f"    donors={{{', '.join(donors)}}},",
        "    grafts=(",
        *(f"        {graft}," for graft in grafts),
        "    ),",
        f"    name={sheet.name!r},",
        *(f"    {field}={said}," for field, said in {**fields, **(named or {})}.items()),
        ")",
        "hybrid = build(sheet)",
    ]
    return "\n".join([*_imports(grafts), "", *lines])


def _variable(name: str) -> str:
    return re.sub(r"\W|^(?=\d)", "_", name)


def _imports(grafts: list[str]) -> Iterator[str]:
    used = "".join(grafts)
    kinds = [kind for kind in ("Adapt", "Merge", "Stack", "Swap") if f"{kind}(" in used or f"{kind}.of(" in used]
    if "blend_of(" in used:
        yield "from garage_nb.compose.blends.methods import blend_of"
    yield "from garage_nb.compose.assembly.build import build"
    if kinds:
        yield f"from garage_nb.compose.graft import {', '.join(kinds)}"
    if "Ref.of(" in used:
        yield "from garage_nb.compose.ref import Ref"
    yield "from garage_nb.compose.sheet import BuildSheet"


def _graft(graft: Graft) -> str:
    if isinstance(graft, Stack):
        return f"Stack.of({' '.join(map(str, graft.layers))!r})"
    if isinstance(graft, Swap):
        adapter = "" if graft.adapter == "none" else f", {graft.adapter!r}"
        return f"Swap({graft.at!r}, Ref.of({str(graft.source)!r}){adapter})"
    if isinstance(graft, Adapt):
        return f"Adapt({graft.folder!r}, {graft.scale!r})"
    sources = "".join(f"Ref.of({str(ref)!r}), " for ref in graft.sources)
    return f"Merge({graft.at!r}, ({sources.rstrip()}), blend_of({str(graft.blend)!r}))"
