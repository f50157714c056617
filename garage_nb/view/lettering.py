"""Lettering: text in a matplotlib picture that shows as text, never as mathematics, in fonts that have its letters.

What no installed font can draw is shown as `\\u65e5` rather than as an empty box.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from functools import lru_cache
from textwrap import wrap
from typing import TYPE_CHECKING, Any
from unicodedata import category

from ..plain import escaped, one_line, shorten
from .palette import PLOT_INK

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.axis import Axis

TICK, LABEL = 18, 80  # characters of a name, and of what an axis measures
SIZE = 9  # points
INCH, AIR = 0.072, 0.08  # of a letter of that size, on average; between two names
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


def wide(names: Iterable[str]) -> float:
    """Inches that the widest of the names takes, with a little air."""
    return longest(map(lettered, names))


def longest(texts: Iterable[str]) -> float:
    """The same of texts as they are drawn."""
    return AIR + max(map(_inches, texts), default=0)


def deep(names: Iterable[str]) -> float:
    """Inches that the names take downwards at most."""
    return wide(names) * 0.7


def name_rows(ax: Axes, names: Sequence[str], most: int, *, letters: int = TICK) -> None:
    """A name at every place from 0 upwards, or at every second or third where there are more than `most`."""
    _name_ticks(ax.yaxis, names, most, letters)


def name_columns(ax: Axes, names: Sequence[str], most: int, *, top: bool = False, **more: Any) -> None:
    """The same from left to right, slanted where they would touch."""
    left, right = ax.get_xlim()
    room = _across(ax) / (right - left) * _every(names, most)
    slant = {"rotation": 40, "ha": "left" if top else "right", "rotation_mode": "anchor"}
    _name_ticks(ax.xaxis, names, most, TICK, **({} if wide(names) <= room else slant), **more)


def measure(axis: Axis, text: str, inches: float) -> None:
    """What an axis measures, on as many lines as its length makes it."""
    lines = wrap(lettered(text, LABEL), max(12, int(inches / INCH)))
    axis.set_label_text("\n".join(lines), **style())


def _name_ticks(axis: Axis, names: Sequence[str], most: int, letters: int, **more: Any) -> None:
    every = _every(names, most)
    axis.set_ticks(range(0, len(names), every), [lettered(name, letters) for name in names[::every]], **style(**more))


def _across(ax: Axes) -> float:
    """Inches; what a layout will give to the only axes of a figure is not known before it is drawn."""
    figure = ax.figure
    alone = figure.get_layout_engine() is not None and len(figure.axes) == 1
    return float(0.87 * figure.bbox.width if alone else ax.bbox.width) / figure.dpi


def _every(names: Sequence[str], most: int) -> int:
    return -(-len(names) // most) or 1


@lru_cache(1024)
def _inches(text: str) -> float:
    from matplotlib.font_manager import FontProperties
    from matplotlib.textpath import TextToPath

    width, _, _ = TextToPath().get_text_width_height_descent(text, FontProperties(size=SIZE), ismath=False)
    return float(width) / 72


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
