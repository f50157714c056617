"""Lettering: text in a matplotlib picture that shows as text, never as mathematics, in fonts that have its letters.

What no installed font can draw is shown as `\\u65e5` rather than as an empty box.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from typing import TYPE_CHECKING, Any
from unicodedata import category

from ..plain import escaped, one_line, shorten
from .palette import PLOT_INK

if TYPE_CHECKING:
    from matplotlib.axis import Axis

TICK = 18  # characters
SIZE = 9  # points
# Beside matplotlib's own font, of which it warns for every sign it lacks; in this order, where they are installed.
WIDE = (
    "Noto Sans CJK JP", "Noto Sans CJK SC", "Hiragino Sans", "PingFang SC", "Yu Gothic", "Microsoft YaHei",
    "WenQuanYi Micro Hei", "Noto Sans", "Noto Sans Arabic", "Noto Sans Devanagari", "Noto Emoji", "Segoe UI Emoji",
    "Segoe UI Symbol", "Arial Unicode MS",
)  # fmt: skip


def lettered(text: str, most: int = TICK) -> str:
    """On one line, cut in the middle, of signs that can be drawn."""
    known = _drawable(_families())
    signs = (sign if ord(sign) in known else _instead(sign) for sign in one_line(text))
    return shorten("".join(signs), most)


def style(**more: Any) -> dict[str, Any]:
    """For any text of a picture."""
    return {"parse_math": False, "fontfamily": list(_families()), "fontsize": SIZE, "color": PLOT_INK, **more}


def name_ticks(axis: Axis, names: Sequence[str], most: int, **more: Any) -> None:
    """A name at every place from 0, or at every second or third where there are more than `most`."""
    every = -(-len(names) // most) or 1
    shown = [lettered(name) for name in names[::every]]
    axis.set_ticks(range(0, len(names), every), shown, **style(**more))


def slanted(names: Sequence[str], wide: int) -> dict[str, Any]:
    """How names stand under an axis that has room for so many letters in all."""
    if sum(len(lettered(name)) + 2 for name in names) <= wide:
        return {}
    return {"rotation": 40, "ha": "right", "rotation_mode": "anchor"}


def _instead(sign: str) -> str:
    return "" if category(sign) in ("Mn", "Me", "Cf") else escaped(sign)


def _families() -> tuple[str, ...]:
    from matplotlib import rcParams

    return (*rcParams["font.family"], *_installed())


@lru_cache(1)
def _installed() -> tuple[str, ...]:
    from matplotlib.font_manager import fontManager

    names = set(fontManager.get_font_names())
    return tuple(name for name in WIDE if name in names)


@lru_cache(4)
def _drawable(families: tuple[str, ...]) -> frozenset[int]:
    from matplotlib.font_manager import FontProperties, findfont, get_font

    files = [findfont(FontProperties(family=[name])) for name in families]
    return frozenset(code for file in files for code in get_font(file).get_charmap())
