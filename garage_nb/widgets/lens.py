"""LensView: what the model would say after each layer, layers by tokens."""

from __future__ import annotations

from collections.abc import Generator
from typing import Any

import torch
import traitlets

from ..analyze.lens.answer import Lens
from ..analyze.lens.lens import lenses
from ..errors import InputError
from ..garage import Garage
from ..plain import one_line
from ..view.bars import Table
from .admission import command
from .assets import script, sheet
from .live import Answer
from .reading import Reading
from .traits import Prompt

MEASURES = ("entropy", "divergence", "target", "rank")


class LensView(Reading):
    """`LensView(garage, "The capital of France is")`. `.lens` is the latest answer.

    `followed` is a token to follow through the layers, as a text; the model's own answer at the end when empty.
    """

    _esm = script("tokens.js", "lens.js")
    _css = sheet("tokens.css", "lens.css")
    followed = Prompt().tag(sync=True, front=True)
    _tokens: traitlets.List[str] = traitlets.List().tag(sync=True)
    _layers: traitlets.List[str] = traitlets.List().tag(sync=True)
    _texts: traitlets.List[str] = traitlets.List().tag(sync=True)
    _top = traitlets.Int(0).tag(sync=True)
    _following = traitlets.Unicode().tag(sync=True)
    _guesses = traitlets.Bytes().tag(sync=True)
    _shares = traitlets.Bytes().tag(sync=True)
    _measures = traitlets.Bytes().tag(sync=True)

    def __init__(self, garage: Garage, prompt: str = "", *, followed: str = "", **options: Any) -> None:
        self.lens: Lens | None = None
        self._number: int | None = None  # of a token picked in the page: its text alone may not lead back to it
        super().__init__(garage, prompt, options=options, followed=followed)

    def pieces(self, garage: Garage, *, following: bool) -> Generator[Answer, None, None]:
        target = self._number if self._number is not None else self.followed or None
        taps, layers = garage.edits.taps(garage.spec), garage.spec.num_layers
        for found in lenses(garage.lifted, self.prompt, taps, target=target):
            if not following:
                yield {"_progress": f"{len(found.layers)} of {layers} layers"}
        self.lens = found
        yield traits_of(found)

    def shown(self) -> Table | None:
        return None if self.lens is None else self.lens.picture()

    @command
    def follow(self, token: int) -> None:
        """Follow a token that stands in the picture, by its number among the texts."""
        ids = [] if self.lens is None else list(self.lens.texts)
        if type(token) is not int or not 0 <= token < len(ids):
            raise InputError("The page named a token that is not in the picture.", "Run the cell again.")
        self._number = ids[token]
        self._read()

    @traitlets.observe("followed")
    def _targeted(self, change: object) -> None:
        self._number = None
        self._read()


def traits_of(found: Lens) -> Answer:
    """Numbers as binary, layer by layer and position by position; a guess is a place among the texts."""
    places = {token: place for place, token in enumerate(found.texts)}
    rows = found.layers.values()
    guesses = torch.tensor([places[token] for row in rows for token in row.ids.flatten().tolist()], dtype=torch.int32)
    shares = torch.cat([row.probabilities.flatten() for row in rows])
    measures = torch.stack([torch.stack([vars(row)[name].double() for name in MEASURES], dim=1) for row in rows])
    return {
        "_tokens": [one_line(token) for token in found.tokens],
        "_layers": list(found.layers),
        "_texts": [one_line(text) for text in found.texts.values()],
        "_top": next(iter(rows)).ids.shape[1],
        "_following": one_line(found.target),
        "_guesses": guesses.numpy().tobytes(),
        "_shares": shares.float().numpy().tobytes(),
        "_measures": measures.float().numpy().tobytes(),
    }
