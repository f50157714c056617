"""Text that shows as text, whatever a user, a tokenizer or a model's file has put in it.

Every surface starts here: errors and terminals take these texts as they are, `view.markup` escapes them for html and
`view.lettering` for pictures.
"""

from __future__ import annotations

import re
from unicodedata import category

# Nothing of these is seen: controls, orders to turn the direction of the line, halves of a pair, unseen line ends.
_UNSEEN = ("Cc", "Cf", "Cs", "Zl", "Zp")
_JOINERS = "\u200c\u200d"  # they shape the letters beside them
_LAID_OUT = "\n\t"
_ASCII = re.compile(r"[ -~\n\t]*")


def visible(text: str) -> str:
    """With `\\u202e` where that character stood. Line ends and tabs stay, for surfaces that have several lines."""
    if _ASCII.fullmatch(text):
        return text
    return "".join(escaped(sign) if _is_unseen(sign) else sign for sign in text.replace("\r\n", "\n"))


def one_line(text: str) -> str:
    """The same with `\\n` and `\\t`, for a cell or a line."""
    return visible(text).replace("\n", r"\n").replace("\t", r"\t")


def shorten(text: str, most: int) -> str:
    """Cut in the middle, where names differ least, to at most so many characters."""
    if len(text) <= most:
        return text
    tail = (most - 1) // 2
    return f"{text[: most - 1 - tail]}…{text[len(text) - tail :]}"


def count(number: int, noun: str) -> str:
    """`1 edit`, `3,559 tokens`."""
    return f"{number:,} {noun}" if number == 1 else f"{number:,} {noun}s"


def _is_unseen(sign: str) -> bool:
    return category(sign) in _UNSEEN and sign not in _JOINERS + _LAID_OUT


def escaped(sign: str) -> str:
    return sign.encode("unicode_escape").decode("ascii")
