"""Manual: the command's help pages, from the table of verbs, as wide as the terminal."""

from __future__ import annotations

import shutil
import textwrap
from collections.abc import Iterable, Mapping

from ..answers.manual import arguments
from ..garage import Garage
from ..verbs import Verb, find, usage, verbs_of

WIDEST = 100  # longer lines are hard to read
OPTIONS = {
    '--edit "scale layer_2 3"': "put an edit in force first; may be said again",
    "--format table|json|csv": "how the answer is written; json and csv to go on with",
    "--dtype, --device, …": "how MODEL is loaded, as `garage help load` explains",
}
CODES = {"0": "done", "1": "refused: an error in two lines says why", "2": "not understood", "130": "interrupted"}
DEMO = "Open the quickstart notebook in JupyterLab, from a copy in this folder."
MODEL = "an embedded name, a folder or a hub id; `garage models` lists what needs no network"


def manual(asked: str = "") -> str:
    """Every verb that a command can be, or one of them with its arguments."""
    return _all() if not asked else _one(find(verbs_of(Garage), asked))


def _all() -> str:
    entries = verbs_of(Garage).values()
    here = {_start(entry): entry.summary for entry in entries if not entry.session or entry.name == "load"}
    edits = ", ".join(entry.name for entry in entries if entry.edits and len(entry.signature.parameters) > 1)
    return "\n".join(
        [
            "garage VERB [MODEL] …",
            *_paragraph(f"MODEL is {MODEL}."),
            *_listed("Verbs", {**here, "demo": DEMO}),
            *_listed("On every line", {**OPTIONS, "--help, --version": "`garage help VERB` explains one verb"}),
            *["", "Edits", *textwrap.wrap(edits, _width(), initial_indent="  ", subsequent_indent="  ")],
            *_listed("Exit codes", CODES),
        ]
    )


def _one(entry: Verb) -> str:
    how = textwrap.wrap(usage(entry, "MODEL"), _width(), subsequent_indent=" " * 4, break_on_hyphens=False)
    also = [f"Also: {', '.join(entry.aliases)}."] if entry.aliases else []
    told = entry.doc.split("\n\nArgs:")[0].splitlines()
    return "\n".join([*how, *(line for text in (*told, *also) for line in _paragraph(text)), *_rows(_taken(entry))])


def _taken(entry: Verb) -> dict[str, str]:
    model = {"MODEL": MODEL} if entry.model else {}
    return {**model, **arguments(entry.doc)}


def _start(entry: Verb) -> str:
    return f"{entry.name} MODEL" if entry.model or entry.name == "load" else entry.name


def _listed(title: str, rows: Mapping[str, str]) -> list[str]:
    return ["", title, *_rows(rows)]


def _rows(rows: Mapping[str, str]) -> Iterable[str]:
    """Terms in a column of their own where they are short, on a line of their own where not."""
    wide = max((len(term) for term in rows if len(term) <= 24), default=0)
    for term, text in rows.items():
        indent = " " * (wide + 4) if wide else "  "
        start = f"  {term:<{wide}}  " if len(term) <= wide else indent
        if len(term) > wide:
            yield f"  {term}"
        yield from textwrap.wrap(text, _width(), initial_indent=start, subsequent_indent=indent)


def _paragraph(text: str) -> list[str]:
    return textwrap.wrap(text, _width())


def _width() -> int:
    return min(shutil.get_terminal_size().columns, WIDEST)
