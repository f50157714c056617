"""What a page is sent: one ES module and one style sheet for each widget, joined from `static/`. No build step."""

from __future__ import annotations

import json
import re
from pathlib import Path

from ..view.palette import AMBER, AMOUNTS, CHANGES

STATIC = Path(__file__).parent / "static"
_REMARK = re.compile(r"^ *(?://.*|/\*\*.*\*/)\n", re.MULTILINE)


def script(*names: str) -> str:
    """The colours of the one table, what all panels share, then the named files; the last one exports `render`.

    Remarks on lines of their own stay here: every instance of a widget carries this text through the notebook.
    """
    colours = f"const AMOUNTS = {_stops(AMOUNTS)}, CHANGES = {_stops(CHANGES)};"
    return _REMARK.sub("", "\n".join([colours, *_joined("panel.js", names)]))


def sheet(*names: str) -> str:
    """The table's amber, what all panels share, then the named files."""
    return "\n".join([f".gnb {{ --gnb-changed: {AMBER}; }}", *_joined("panel.css", names)])


def _joined(shared: str, names: tuple[str, ...]) -> list[str]:
    return [(STATIC / name).read_text(encoding="utf-8") for name in (shared, *names)]


def _stops(colours: tuple[str, ...]) -> str:
    """`[[0, 34, 78], …]`"""
    return json.dumps([list(bytes.fromhex(colour[1:])) for colour in colours], separators=(",", ":"))
