"""AttentionView: every head as a thumbnail, one of them large, and what each token looks at."""

from __future__ import annotations

from collections.abc import Generator
from typing import Any

import torch
import traitlets

from ..analyze.attention.attention import Attention, attention, overview, tiled
from ..analyze.attention.patterns import Pattern
from ..errors import InputError
from ..garage import Garage
from ..plain import one_line
from ..view.figure import Plot
from ..view.markup import page
from .assets import script, sheet
from .live import Answer
from .reading import Reading


class Head(traitlets.TraitType):  # type: ignore[type-arg]  # traitlets before 5.10 takes none
    """The name of a head that is among the thumbnails: `attention_3.head_2`."""

    default_value = ""

    def validate(self, obj: Any, value: object) -> str:
        if value not in (obj.heads or [""]):
            known = f"Heads are {obj.heads[0]} to {obj.heads[-1]}." if obj.heads else "Give a prompt first."
            raise InputError(f"{str(value)[:60]!r} is no head that is shown.", known)
        return str(value)


class AttentionView(Reading):
    """`AttentionView(garage, "The capital of France is")`. `.head` is the head shown large, `.attention` its part's
    whole patterns, `.overview` the thumbnails by part.
    """

    _esm = script("tokens.js", "heat.js", "heads.js", "attention.js")
    _css = sheet("tokens.css", "attention.css")
    head = Head().tag(sync=True, front=True)
    _parts: traitlets.List[Any] = traitlets.List().tag(sync=True)
    _thumbnails = traitlets.Bytes().tag(sync=True)
    _shown: traitlets.Dict[str, Any] = traitlets.Dict().tag(sync=True)
    _weights = traitlets.Bytes().tag(sync=True)

    def __init__(self, garage: Garage, prompt: str = "", **options: Any) -> None:
        self.overview: dict[str, Pattern] = {}
        self.attention: Attention | None = None
        self._due = ""  # the head whose pattern is read, or about to be
        super().__init__(garage, prompt, options=options)

    @property
    def heads(self) -> list[str]:
        return [f"{name}.head_{index}" for name, one in self.overview.items() for index in range(len(one.weights))]

    def pieces(self, garage: Garage, *, following: bool) -> Generator[Answer, None, None]:
        """The thumbnails of all heads first, then the one that is large."""
        prompt = self.prompt
        self.overview = overview(garage.lifted, prompt, garage.edits.taps(garage.spec))
        if self.head not in self.heads:
            self._due = self.heads[0]
        yield {**thumbnails_of(self.overview), "head": self._due}
        yield from self._large(garage, prompt, self._due)

    def shown(self) -> Plot | None:
        if self.attention is None:
            return None
        words = f"attention of {len(self.heads)} heads of {self._title} to {self.prompt!r}"
        return Plot(tiled({name: one.weights for name, one in self.overview.items()}), words, self.attention.frame)

    def _picture(self) -> str:
        """The thumbnails, and what the last token looks at in the part whose head is large."""
        drawn = super()._picture()
        return drawn if self.attention is None else drawn + page(self.attention.picture().html())

    def _large(self, garage: Garage, prompt: str, head: str) -> Generator[Answer, None, None]:
        part = head.partition(".")[0]
        self.attention = attention(garage.lifted, prompt, garage.edits.taps(garage.spec), part)
        one = self.attention.parts[part]
        sides = {"queries": list(map(one_line, one.queries)), "keys": list(map(one_line, one.keys))}
        weights = self.attention.head(head).contiguous().numpy().tobytes()
        yield {"_shown": {"head": head, **sides}, "_weights": weights}

    @traitlets.observe("head")
    def _chosen(self, change: Any) -> None:
        """Of a head chosen by hand the pattern is read; that of the one a prompt leads to comes by itself."""
        if self.head != self._due:
            garage, prompt, self._due = self.garage, self.prompt, self.head
            self.ask(lambda: self._large(garage, prompt, self._due))


def thumbnails_of(found: dict[str, Pattern]) -> Answer:
    """One byte a square, 0 to 255 for weights of 0 to 1; part by part, head by head, row by row."""
    squares = [(one.weights * 255).round().clamp(0, 255).to(torch.uint8).numpy().tobytes() for one in found.values()]
    parts = [{"name": name, "size": list(one.weights.shape)} for name, one in found.items()]
    return {"_parts": parts, "_thumbnails": b"".join(squares)}
