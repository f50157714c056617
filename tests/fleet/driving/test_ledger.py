"""A ledger gives back what was put there, or nothing, and loses nothing of the rest."""

from __future__ import annotations

import os
import time
from pathlib import Path

import pytest

from garage_nb.errors import LedgerError
from garage_nb.fleet.driving.ledger import STALE, Ledger
from tests.registry.test_store_faults import no_file_longer_than, no_privileges

KEY, OTHER = "a" * 64, "b" * 64


def test_what_was_put_comes_back(tmp_path: Path) -> None:
    Ledger(tmp_path / "deep" / "ledger").put(KEY, b"\x00result")
    ledger = Ledger(tmp_path / "deep" / "ledger")

    assert ledger.get(KEY) == b"\x00result"
    assert KEY in ledger
    assert OTHER not in ledger
    assert ledger.get(OTHER) is None


@pytest.mark.parametrize("data", [b"", b"result"])
def test_any_damage_is_a_miss_and_removed(tmp_path: Path, data: bytes) -> None:
    ledger = Ledger(tmp_path)
    ledger.put(KEY, data)
    whole = ledger.path(KEY).read_bytes()
    flipped = [whole[:at] + bytes([whole[at] ^ 1]) + whole[at + 1 :] for at in range(len(whole))]
    cut = [whole[:at] for at in range(len(whole))]

    for damaged in (*flipped, *cut, whole + b"\x00", whole * 2):
        ledger.path(KEY).write_bytes(damaged)

        assert ledger.get(KEY) is None
        assert KEY not in ledger

    ledger.put(KEY, data)
    assert ledger.get(KEY) == data


def test_a_file_under_anothers_name_is_a_miss(tmp_path: Path) -> None:
    ledger = Ledger(tmp_path)
    ledger.put(KEY, b"result")
    ledger.path(OTHER).write_bytes(ledger.path(KEY).read_bytes())

    assert ledger.get(OTHER) is None
    assert ledger.get(KEY) == b"result"


def test_what_killed_writers_left_is_swept_and_a_living_ones_stays(tmp_path: Path) -> None:
    ledger = Ledger(tmp_path)
    ledger.put(KEY, b"result")
    dead, living, foreign = (tmp_path / name for name in (f"{OTHER}.part.0.tmp", f"{OTHER}.part.1.tmp", "mine.tmp"))
    long_ago = time.time() - STALE - 1
    for path in (dead, living, foreign):
        path.touch()
    for path in (dead, foreign):
        os.utime(path, (long_ago, long_ago))

    ledger = Ledger(tmp_path)

    assert set(tmp_path.iterdir()) == {ledger.path(KEY), living, foreign}
    assert ledger.get(KEY) == b"result"


@pytest.mark.parametrize("room", [0, 10, 50])
def test_a_full_disk_is_told_in_two_lines_and_the_rest_is_kept(tmp_path: Path, room: int) -> None:
    ledger = Ledger(tmp_path)
    ledger.put(KEY, b"result")

    with no_file_longer_than(room), pytest.raises(LedgerError, match="cannot be written") as caught:
        ledger.put(OTHER, b"longer than there is room for")

    assert str(caught.value).count("\n") == 1
    assert [path.name for path in tmp_path.iterdir()] == [f"{KEY}.part"]
    assert ledger.get(KEY) == b"result"


@pytest.mark.skipif(os.name == "nt", reason="Windows has no such folders")
def test_a_folder_nobody_may_write_is_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    Ledger(tmp_path).put(KEY, b"result")
    Ledger(tmp_path).path(OTHER).write_bytes(b"damaged")
    tmp_path.chmod(0o555)
    monkeypatch.chdir(tmp_path)  # the folders above are closed to other users

    with no_privileges():
        ledger = Ledger(".")
        assert ledger.get(KEY) == b"result"
        assert ledger.get(OTHER) is None
        with pytest.raises(LedgerError, match="cannot be written, Permission denied"):
            ledger.put(OTHER, b"result")
        with pytest.raises(LedgerError, match="cannot be made, Permission denied"):
            Ledger("deeper")

    tmp_path.chmod(0o755)
    assert {path.name for path in tmp_path.iterdir()} == {f"{KEY}.part", f"{OTHER}.part"}


def test_a_file_in_the_place_of_the_folder_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("mine")

    with pytest.raises(LedgerError, match="cannot be made") as refused:
        Ledger(tmp_path / "file")

    assert refused.value.hint == "Name a folder that can be written."
    assert (tmp_path / "file").read_text() == "mine"
