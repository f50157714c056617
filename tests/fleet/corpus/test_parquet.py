"""Parquet is read in batches and by column, and what is wrong with a file is said before the first row."""

import sys
from pathlib import Path

import pyarrow
import pytest
from pyarrow import parquet

from garage_nb.errors import InputError
from garage_nb.fleet.corpus.corpus import corpus_of
from garage_nb.fleet.corpus.entry import Entry
from garage_nb.fleet.corpus.text import SetAside


def _written(path: Path, **columns: object) -> Path:
    parquet.write_table(pyarrow.table(columns), path, compression="none", use_dictionary=False)
    return path


def test_cells_that_are_no_text_are_set_aside_by_their_row(tmp_path: Path) -> None:
    text = pyarrow.array([b"good", b"\xff", None]).view(pyarrow.string())

    assert list(corpus_of(_written(tmp_path / "a.parquet", text=text))) == [
        Entry("row 0", "good"),
        SetAside("row 1", "it is not UTF-8"),
        SetAside("row 2", "it is null, neither a text nor token ids"),
    ]


def test_ids_come_out_of_a_column_of_lists(tmp_path: Path) -> None:
    path = _written(tmp_path / "a.parquet", ids=[[3, 1, 4], [1]])

    assert [entry.said for entry in corpus_of(path, field="ids") if isinstance(entry, Entry)] == [(3, 1, 4), (1,)]


def test_a_damaged_file_is_refused_at_once(tmp_path: Path) -> None:
    path = tmp_path / "a.parquet"
    path.write_bytes(b"PAR1" + bytes(100))

    with pytest.raises(InputError, match=r"a\.parquet cannot be read"):
        corpus_of(path)


def test_without_pyarrow_it_says_what_to_do(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = _written(tmp_path / "a.parquet", text=["good"])
    monkeypatch.setitem(sys.modules, "pyarrow", None)

    with pytest.raises(InputError) as refused:
        corpus_of(path)

    assert str(refused.value).splitlines() == [
        "Parquet needs pyarrow, which is not installed.",
        "Give the corpus as .jsonl, or install it: pip install 'garage-nb[parquet]'",
    ]


def test_a_large_file_is_not_held_in_memory(tmp_path: Path) -> None:
    path = _written(tmp_path / "a.parquet", text=[f"{n:08d}{'x' * 1000}" for n in range(20_000)], other=["y"] * 20_000)
    before = pyarrow.total_allocated_bytes()

    held = max(pyarrow.total_allocated_bytes() - before for _ in corpus_of(path))

    assert held < path.stat().st_size / 4
