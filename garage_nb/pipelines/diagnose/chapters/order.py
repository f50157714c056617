"""The order in which a report is read. A new section is a file beside this one and its name here."""

from __future__ import annotations

from ..section import Chapter
from .cost import COST
from .heads import HEADS
from .lens import LENS
from .model import MODEL
from .neurons import NEURONS
from .parts import PARTS
from .routers import ROUTERS
from .scores import SCORES
from .shares import SHARES
from .sparsity import SPARSITY
from .stream import STREAM
from .weights import WEIGHTS
from .whole import WHOLE

CHAPTERS: tuple[Chapter, ...] = (
    MODEL, PARTS, SHARES, LENS, STREAM, HEADS, NEURONS, ROUTERS, SPARSITY, SCORES, WEIGHTS, WHOLE, COST
)  # fmt: skip
