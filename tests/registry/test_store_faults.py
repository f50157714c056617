"""Spec files on bad days: folders nobody may write, full disks, killed writers, and several at once."""

from __future__ import annotations

import itertools
import multiprocessing
import os
import stat
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from garage_nb.errors import SpecFileError
from garage_nb.registry.specs import ModelSpec
from garage_nb.registry.store import Key, SpecStore
from tests.registry.test_store import KEY, left

NOBODY = 65_534


@contextmanager
def no_privileges() -> Iterator[None]:
    """Root writes where nobody may, so as root the block runs as another user."""
    if os.geteuid() != 0:
        yield
        return
    os.seteuid(NOBODY)
    try:
        yield
    finally:
        os.seteuid(0)


@pytest.fixture
def read_only(tmp_path: Path, spec: ModelSpec, monkeypatch: pytest.MonkeyPatch) -> Iterator[SpecStore]:
    """One good file and one damaged; by a relative path, for the folders above are closed to other users."""
    folder = tmp_path / "specs"
    SpecStore(folder).save(KEY, spec)
    SpecStore(folder).path(Key("id", "damaged")).write_text("damaged")
    folder.chmod(0o555)
    monkeypatch.chdir(folder)
    yield SpecStore(".")
    folder.chmod(0o755)


@pytest.mark.skipif(os.name == "nt", reason="Windows has no such folders")
def test_a_read_only_folder_is_read_and_never_changed(read_only: SpecStore, spec: ModelSpec) -> None:
    before = left(read_only)

    with no_privileges():
        assert read_only.load(KEY) == spec
        assert read_only.keys() == [KEY]
        assert read_only.load(Key("id", "damaged")) is None
        assert read_only.save(KEY, spec).exists()
        with pytest.raises(SpecFileError, match="damaged"):
            read_only.read(Key("id", "damaged"))
        for key, other in ((Key("id", "new"), spec), (Key("id", "damaged"), spec), (KEY, replace(spec, hidden_dim=9))):
            with pytest.raises(SpecFileError, match="Permission denied") as caught:
                read_only.save(key, other)
            assert str(caught.value).count("\n") == 1

    assert left(read_only) == before


@pytest.mark.skipif(os.name == "nt", reason="Windows has no such files")
def test_a_file_closed_to_this_user_is_not_lost(store: SpecStore, spec: ModelSpec, monkeypatch: Any) -> None:
    path = store.save(KEY, spec)
    before = left(store)
    path.chmod(0)
    store.folder.chmod(0o777)
    monkeypatch.chdir(store.folder)

    with no_privileges():
        assert SpecStore(".").load(KEY) is None
        assert SpecStore(".").keys() == []
        for action in (lambda: SpecStore(".").read(KEY), lambda: SpecStore(".").save(KEY, spec)):
            with pytest.raises(SpecFileError, match="Permission denied"):
                action()

    path.chmod(0o644)
    assert left(store) == before


@pytest.mark.parametrize("below", [".", "deeper", "deeper/still"])
def test_a_file_in_the_place_of_the_folder_is_left_alone(tmp_path: Path, spec: ModelSpec, below: str) -> None:
    (tmp_path / "specs").write_text("mine")
    store = SpecStore(tmp_path / "specs" / below)

    assert store.load(KEY) is None
    assert store.keys() == []
    with pytest.raises(SpecFileError, match="Not a directory") as caught:
        store.save(KEY, spec)

    assert "cache_dir" in caught.value.hint
    assert str(caught.value).count("\n") == 1
    assert (tmp_path / "specs").read_text() == "mine"


@contextmanager
def no_file_longer_than(count: int) -> Iterator[None]:
    """The system refuses the byte that would be too many, in the middle of a write, as a full disk does."""
    resource = pytest.importorskip("resource")
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (count, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


@pytest.mark.parametrize("old", [None, b"damaged", "whole"])
def test_a_full_disk_leaves_every_file_as_it_was(store: SpecStore, spec: ModelSpec, old: bytes | str | None) -> None:
    path = store.save(KEY, spec)
    if old is None:
        path.unlink()
    elif isinstance(old, bytes):
        path.write_bytes(old)
    before = left(store)

    for room in (0, 1, 100, 2000):
        with no_file_longer_than(room), pytest.raises(SpecFileError, match="cannot be written") as caught:
            store.save(KEY, replace(spec, hidden_dim=64))
        assert isinstance(caught.value.__cause__, OSError)
        assert left(store) == before

    store.save(KEY, spec)
    assert store.load(KEY) == spec


def test_room_for_the_record_but_not_for_what_is_set_aside(store: SpecStore, spec: ModelSpec) -> None:
    path = store.save(KEY, spec)
    whole = path.read_bytes()
    path.write_bytes(whole * 2)

    with no_file_longer_than(len(whole) + 10), pytest.raises(SpecFileError, match="cannot be written"):
        store.save(KEY, spec)

    assert left(store) == {path.name: whole * 2}


def test_the_bytes_reach_the_disk_before_the_name(
    store: SpecStore, spec: ModelSpec, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A power cut cannot be had in a test; the order of the calls that guard against one can."""
    done: list[str] = []
    sync, rename = os.fsync, os.replace

    def fsync(handle: int) -> None:
        done.append("folder" if stat.S_ISDIR(os.fstat(handle).st_mode) else "file")
        sync(handle)

    def replaced(old: Any, new: Any) -> None:
        done.append("name")
        rename(old, new)

    monkeypatch.setattr(os, "fsync", fsync)
    monkeypatch.setattr(os, "replace", replaced)
    path = store.save(KEY, spec)
    path.write_text("damaged")
    store.save(KEY, spec)

    assert done == ["file", "name", "folder", "file", "file", "name", "folder"]


def test_what_a_killed_writer_left_is_no_record(store: SpecStore, spec: ModelSpec) -> None:
    path = store.save(KEY, spec)
    old, new = path.with_suffix(".0.tmp"), path.with_suffix(".1.tmp")
    for leftover in (old, new):
        leftover.write_bytes(path.read_bytes()[:100])
    two_days_ago = time.time() - 2 * 86_400
    os.utime(old, (two_days_ago, two_days_ago))

    assert store.keys() == [KEY]
    store.save(KEY, replace(spec, hidden_dim=64))

    assert set(left(store)) == {path.name, new.name}


OWN = 8  # keys a writer has for itself, beside the one that all share


def write_until_killed(folder: Path, spec: ModelSpec, writer: int, start: Any, turns: Any) -> None:
    store = SpecStore(folder)
    start.wait(timeout=300)
    for turn in itertools.count():
        store.save(KEY, replace(spec, extra_info={"writer": writer, "turn": turn}))
        store.save(Key("id", f"{writer} {turn % OWN}"), replace(spec, extra_info={"turn": turn}))
        turns.value = turn + 1


@pytest.mark.parametrize("seconds", [2, pytest.param(5, marks=pytest.mark.slow)])
def test_two_writers_and_a_reader_lose_nothing(store: SpecStore, spec: ModelSpec, seconds: float) -> None:
    """And when they are killed in the middle, every spec they had filed is there."""
    processes = multiprocessing.get_context("spawn")
    store.save(KEY, replace(spec, extra_info={"writer": None, "turn": -1}))
    start, turns = processes.Barrier(3), [processes.Value("q", 0) for _ in range(2)]
    writers = [
        processes.Process(target=write_until_killed, args=(store.folder, spec, number, start, turns[number]))
        for number in range(2)
    ]
    read: list[tuple[Any, int]] = []
    try:
        for writer in writers:
            writer.start()
        start.wait(timeout=300)
        end = time.monotonic() + seconds
        while time.monotonic() < end or not all(count.value >= OWN for count in turns):
            found = store.read(KEY)
            assert found is not None
            read.append((found.extra_info["writer"], found.extra_info["turn"]))
    finally:
        for writer in writers:
            writer.kill()
            writer.join()

    assert len(read) > 100
    assert {writer for writer, _ in read} >= {0, 1}
    for number in range(2):
        order = [turn for writer, turn in read if writer == number]
        assert order == sorted(order)
    own = [Key("id", f"{number} {turn}") for number in range(2) for turn in range(OWN)]
    assert store.keys() == sorted([KEY, *own])
    for key in own:
        writer, slot = map(int, key.text.split())
        assert store.read(key).extra_info["turn"] >= turns[writer].value - OWN
        assert store.read(key).extra_info["turn"] % OWN == slot
    assert {path.suffix for path in store.folder.iterdir()} <= {".json", ".tmp"}


def test_healed_by_many_at_once_it_is_never_missing_again(store: SpecStore, spec: ModelSpec) -> None:
    """Each writer found the damage; none may set aside the good file another has put there."""
    for _ in range(20):
        path = store.save(KEY, spec)
        path.write_text("damaged")
        start = threading.Barrier(5)
        seen: list[bool] = []

        def heal(number: int, start: threading.Barrier = start) -> None:
            start.wait(timeout=60)
            store.save(KEY, replace(spec, hidden_dim=number))

        writers = [threading.Thread(target=heal, args=(number,)) for number in range(4)]
        for writer in writers:
            writer.start()
        start.wait(timeout=60)
        while any(writer.is_alive() for writer in writers):
            seen.append(store.load(KEY) is not None)

        assert seen == sorted(seen)
        assert store.load(KEY) is not None
        assert all(path.read_text() == "damaged" for path in store.folder.glob("*.damaged*"))
