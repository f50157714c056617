"""Origin: what an answer says of itself beside its numbers, so that a file of it can say so too."""

from __future__ import annotations

import math
from dataclasses import asdict, dataclass
from inspect import cleandoc
from typing import TYPE_CHECKING, Any

from .bars import Table
from .cards import Card
from .stacked import Stacked

if TYPE_CHECKING:
    from .shown import Picture, Shown

Fact = str | int | float | bool
LIMITS = ("tau", "threshold")  # facts that a number has no meaning without


@dataclass(frozen=True)
class Origin:
    """`kind` is the answer's class, `title` and `caption` stand above its table, `about` says what its rows and
    numbers are. `facts` are its own single values, such as model_id, prompt, target and tau.
    """

    kind: str
    title: str
    caption: str
    about: str
    facts: dict[str, Fact]

    @property
    def limits(self) -> str:
        """`tau 0.1`; empty where there is no threshold."""
        return ", ".join(f"{name} {self.facts[name]}" for name in LIMITS if name in self.facts)

    def to_json(self) -> dict[str, Any]:
        return asdict(self)

    @classmethod
    def from_json(cls, data: dict[str, Any]) -> Origin:
        """TypeError for what `to_json` did not write."""
        origin = cls(**data)
        texts = (origin.kind, origin.title, origin.caption, origin.about, *origin.facts)
        if not all(isinstance(text, str) for text in texts) or not all(map(_is_fact, origin.facts.values())):
            raise TypeError
        return origin


def origin_of(shown: Shown) -> Origin:
    kind = type(shown)
    about = [kind.frame.__doc__, "" if _is_made(kind) else kind.__doc__]
    title, caption = _above(shown.picture())
    facts = {name: value for name, value in vars(shown).items() if not name.startswith("_") and _is_fact(value)}
    return Origin(kind.__name__, title, caption, "\n\n".join(cleandoc(text) for text in about if text), facts)


def _above(picture: Picture) -> tuple[str, str]:
    if isinstance(picture, Table):
        return picture.title, picture.caption
    if isinstance(picture, Card):
        return picture.title, picture.note
    if isinstance(picture, Stacked):
        return _above_several(picture)
    return "", picture.text()


def _above_several(stacked: Stacked) -> tuple[str, str]:
    """What the first one says, and where it is a card its facts too: no table has them."""
    first = stacked.pictures[0]
    title, caption = _above(first)
    facts = first.facts if isinstance(first, Card) else {}
    return title, " · ".join(filter(None, [*(f"{label}: {fact}" for label, fact in facts.items()), caption]))


def _is_made(kind: type) -> bool:
    """Whether its docstring is only the signature that a dataclass writes where there is none."""
    return (kind.__doc__ or "").startswith(f"{kind.__name__}(")


def _is_fact(value: object) -> bool:
    return isinstance(value, str | int | float) and not (isinstance(value, float) and not math.isfinite(value))
