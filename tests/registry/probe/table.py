"""The families written down by hand."""

from __future__ import annotations

from .decoders import DECODERS
from .encoders import ENCODERS
from .llamas import LLAMAS

FAMILIES = [*LLAMAS, *DECODERS, *ENCODERS]
