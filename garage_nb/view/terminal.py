"""Text in a terminal: how many columns it takes there, and how it is cut or wrapped to those there are."""

from __future__ import annotations

from collections.abc import Iterable

LINE = 100  # columns of a line


def width(text: str) -> int:
    """In columns: 2 for a Chinese sign or an emoji, 0 for an accent on the letter before it."""
    if text.isascii():
        return len(text)
    import wcwidth

    return wcwidth.width(text)


def fit(text: str, most: int) -> str:
    """Cut in the middle to at most so many columns, never through an accent or a joined emoji."""
    if width(text) <= most:
        return text
    from wcwidth import iter_graphemes

    signs = list(iter_graphemes(text))
    tail = _first(reversed(signs), (most - 1) // 2)
    return "".join([*_first(signs, most - 1 - (most - 1) // 2), "…", *reversed(tail)])


def pad(text: str, most: int, *, right: bool = False) -> str:
    space = " " * (most - width(text))
    return space + text if right else text + space


def wrapped(text: str, most: int) -> list[str]:
    """Lines of at most so many columns. One that fits keeps its spaces as they are."""
    from wcwidth import wrap

    pieces = [wrap(line, most) if width(line) > most else [line] for line in text.split("\n")]
    return [line for lines in pieces for line in lines]


def _first(signs: Iterable[str], most: int) -> list[str]:
    taken: list[str] = []
    for sign in signs:
        most -= width(sign)
        if most < 0:
            break
        taken.append(sign)
    return taken
