"""Written: a live model as the files that `save_pretrained` makes, for processes that open it by its place."""

from __future__ import annotations

from copy import deepcopy
from pathlib import Path
from typing import Any

from ..core.quiet import quiet_when_small


def write_model(model: Any, folder: Path) -> None:
    """The model's own config stays as it was: transformers writes into the one it saves."""
    own = model.config
    model.config = deepcopy(own)
    try:
        with quiet_when_small(sum(weight.nbytes for weight in model.parameters())):
            model.save_pretrained(folder)
    finally:
        model.config = own
