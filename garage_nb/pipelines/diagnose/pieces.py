"""Pieces: a picture of an answer as it stands on the page: drawings side by side, long tables folded."""

from __future__ import annotations

from ...view.bars import STYLE as TABLE_STYLE
from ...view.bars import Table
from ...view.cards import STYLE as CARD_STYLE
from ...view.cards import Card
from ...view.figure import Plot
from ...view.markup import line
from ...view.shown import Picture

OPEN = 16  # rows of a table that is not folded
STYLES = TABLE_STYLE + CARD_STYLE  # once for the whole page


def piece(picture: Picture) -> str:
    html = picture.html().replace(TABLE_STYLE, "").replace(CARD_STYLE, "")
    if isinstance(picture, Plot):
        return f'<figure>{html}<figcaption aria-hidden="true">{line(picture.alt)}</figcaption></figure>'
    if isinstance(picture, Table) and len(picture.names) > OPEN:
        return f'<details class="wide"><summary>The numbers, {len(picture.names)} rows</summary>{html}</details>'
    kind = ' class="wide"' if isinstance(picture, Table | Card) else ""
    return f"<div{kind}>{html}</div>"
