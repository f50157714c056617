"""Output: an answer as a table to read, or as JSON or CSV to go on with."""

from __future__ import annotations

import json
import math
from typing import TYPE_CHECKING, Any

from ..registry.specs import ModelSpec
from ..view.shown import Shown

if TYPE_CHECKING:
    import pandas as pd

FORMATS = ("table", "json", "csv")


def written(answer: Shown, form: str) -> str:
    """JSON and CSV hold the answer's frame, its index as columns in front; a spec is written whole."""
    if form == "table":
        return repr(answer)
    if form == "csv":
        return str(_flat(answer.frame()).to_csv(index=False)).rstrip("\n")
    rows = answer.to_json() if isinstance(answer, ModelSpec) else _records(answer.frame())
    return json.dumps(rows, indent=2, allow_nan=False)


def _flat(frame: pd.DataFrame) -> pd.DataFrame:
    flat: pd.DataFrame = frame.reset_index(drop=frame.index.names == [None])
    return flat


def _records(frame: pd.DataFrame) -> list[dict[str, Any]]:
    flat = _flat(frame)
    columns = {str(name): [_plain(value) for value in flat[name]] for name in flat.columns}
    return [dict(zip(columns, row, strict=True)) for row in zip(*columns.values(), strict=True)]


def _plain(value: Any) -> Any:
    """JSON knows neither NaN nor NumPy; what is not defined is null."""
    import pandas as pd

    if value is pd.NA or (isinstance(value, float) and not math.isfinite(value)):
        return None
    if isinstance(value, tuple | list):
        return [_plain(item) for item in value]
    return value if value is None or isinstance(value, str | int | float) else _plain(value.item())
