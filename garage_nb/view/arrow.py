"""Arrow: a frame as a Parquet file in memory, with a text in the file's own key-value metadata, and back."""

from __future__ import annotations

import io
from typing import TYPE_CHECKING, Any

from ..errors import InputError

if TYPE_CHECKING:
    import pandas as pd

KEY = b"garage_nb"
_INSTEAD = "Save to a .csv file"


def packed(frame: pd.DataFrame, about: str) -> bytes:
    """A file that `pandas.read_parquet` reads with its index. The columns are scalars of one kind each."""
    pyarrow, parquet = demand_pyarrow(_INSTEAD)
    table = pyarrow.Table.from_pandas(frame, preserve_index=True)
    stream = io.BytesIO()
    parquet.write_table(table.replace_schema_metadata({**table.schema.metadata, KEY: about.encode()}), stream)
    return stream.getvalue()


def unpacked(data: bytes) -> tuple[str | None, list[list[Any]]]:
    """The text, None where there is none, and the columns in their order, those of the index last.

    ValueError or OSError for what is no Parquet file.
    """
    pyarrow, parquet = demand_pyarrow(_INSTEAD)
    try:
        table = parquet.read_table(io.BytesIO(data))
    except pyarrow.ArrowException as error:
        raise ValueError(str(error)) from None
    about = (table.schema.metadata or {}).get(KEY)
    return None if about is None else about.decode(), [part.to_pylist() for part in table.columns]


def demand_pyarrow(instead: str) -> tuple[Any, Any]:
    """pyarrow and its parquet. InputError where it is not installed; `instead` says what works without."""
    try:
        import pyarrow
        import pyarrow.parquet
    except ImportError:
        raise InputError(
            "Parquet needs pyarrow, which is not installed.",
            f"{instead}, or install it: pip install 'garage-nb[parquet]'",
        ) from None
    return pyarrow, pyarrow.parquet
