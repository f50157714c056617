"""What an engine needs that this package does not bring."""

from __future__ import annotations

import sys
from importlib.util import find_spec

from ...errors import EngineError


def needed(module: str, extra: str) -> None:
    """EngineError that says how to install it where it is missing."""
    if find_spec(module) is None:
        raise EngineError(f"{extra} is not installed here.", f'{sys.executable} -m pip install "garage-nb[{extra}]"')
