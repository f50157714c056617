"""A folder takes its place whole or not at all, whatever happens on the way."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

import garage_nb.core.claimed as claimed
import garage_nb.core.folders as folders
from garage_nb.core.folders import put_folder

OLD, NEW = {"a": "old", "b": "old too"}, {"a": "new", "c": "new too", "d/e": "deeper"}


def written(folder: Path, files: dict[str, str]) -> None:
    for name, text in files.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(text)


def read(folder: Path) -> dict[str, str]:
    return {str(path.relative_to(folder)): path.read_text() for path in folder.rglob("*") if path.is_file()}


@pytest.fixture(params=["one step", "two steps"])
def place(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """With and without the system call that exchanges two names."""
    if request.param == "two steps":
        monkeypatch.setattr(folders, "_exchanged", lambda a, b: False)
    return tmp_path / "deep" / "place"


def test_where_nothing_was(place: Path) -> None:
    with put_folder(place) as beside:
        written(beside, NEW)
        assert not place.exists()

    assert read(place) == NEW
    assert os.listdir(place.parent) == [place.name]


def test_in_place_of_another(place: Path) -> None:
    written(place, OLD)

    with put_folder(place) as beside:
        written(beside, NEW)
        assert read(place) == OLD

    assert read(place) == NEW
    assert os.listdir(place.parent) == [place.name]


def fail_in(place: Path, error: type[BaseException]) -> None:
    with put_folder(place) as beside:
        written(beside, NEW)
        raise error


@pytest.mark.parametrize("error", [OSError, KeyboardInterrupt, ValueError])
def test_a_failure_leaves_the_old_one_and_nothing_else(place: Path, error: type[BaseException]) -> None:
    written(place, OLD)

    with pytest.raises(error):
        fail_in(place, error)

    assert read(place) == OLD
    assert os.listdir(place.parent) == [place.name]


def test_a_failure_to_take_the_place_leaves_the_old_one(place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(folders, "_exchanged", lambda a, b: False)
    written(place, OLD)
    rename = os.rename

    def full(a: Path, b: Path) -> None:
        if Path(b) == place and str(a).endswith(".tmp"):
            raise OSError("no space")
        rename(a, b)

    monkeypatch.setattr(os, "rename", full)
    with pytest.raises(OSError, match="no space"), put_folder(place) as beside:
        written(beside, NEW)

    assert read(place) == OLD
    assert os.listdir(place.parent) == [place.name]


def test_a_file_in_its_place_is_left(tmp_path: Path) -> None:
    (tmp_path / "place").write_text("a file")

    with pytest.raises(NotADirectoryError), put_folder(tmp_path / "place"):
        pass

    assert read(tmp_path) == {"place": "a file"}


@pytest.mark.parametrize("old", [OLD, {}])
def test_a_link_stays_one(tmp_path: Path, old: dict[str, str]) -> None:
    """What it leads to is what takes the new folder."""
    written(tmp_path / "far" / "real", old)
    (tmp_path / "place").symlink_to(tmp_path / "far" / "real", target_is_directory=True)

    with put_folder(tmp_path / "place") as beside:
        written(beside, NEW)

    assert (tmp_path / "place").is_symlink()
    assert read(tmp_path / "far" / "real") == NEW
    assert os.listdir(tmp_path / "far") == ["real"]


_KILLED = """
import os, sys
from pathlib import Path
from garage_nb.core.folders import put_folder
with put_folder(Path(sys.argv[1])) as beside:
    (beside / "deep").mkdir()
    (beside / "deep" / "a").write_text("half")
    print("writing", flush=True)
    sys.stdin.read() if sys.argv[2] == "waits" else os.kill(os.getpid(), 9)
"""
linux = pytest.mark.skipif(sys.platform == "win32", reason="no SIGKILL, and no locks on folders")


def unfinished(place: Path) -> list[str]:
    return sorted(path.name for path in place.parent.iterdir() if path.name.startswith("."))


def put(place: Path) -> None:
    with put_folder(place) as beside:
        written(beside, NEW)


@linux
def test_what_a_killed_process_left_is_cleared_by_the_next(tmp_path: Path) -> None:
    place = tmp_path / "place"
    written(place, OLD)
    subprocess.run([sys.executable, "-c", _KILLED, place, "dies"], check=False, stdout=subprocess.DEVNULL)
    (left,) = unfinished(place)
    assert read(tmp_path / left) == {"deep/a": "half"}
    assert left.startswith(".place.")
    assert left.endswith(".tmp")

    put(place)

    assert unfinished(place) == []
    assert read(place) == NEW


@linux
def test_what_another_process_still_writes_in_is_not(tmp_path: Path) -> None:
    place = tmp_path / "place"
    said = [sys.executable, "-c", _KILLED, place, "waits"]
    with subprocess.Popen(said, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as other:
        assert other.stdout is not None
        assert other.stdout.readline() == "writing\n"
        (alive,) = unfinished(place)

        put(place)

        assert read(place) == NEW
        assert unfinished(place) == [alive]
        assert read(tmp_path / alive) == {"deep/a": "half"}
        other.communicate("")

    assert other.returncode == 0
    assert read(place) == {"deep/a": "half"}
    assert unfinished(place) == []


@linux
def test_two_at_once_in_one_process_leave_each_other_alone(tmp_path: Path) -> None:
    place = tmp_path / "place"

    with put_folder(place) as first, put_folder(place) as second:
        written(first, OLD)
        written(second, NEW)
        assert len(unfinished(place)) == 2

    assert read(place) == OLD  # the last to end
    assert unfinished(place) == []


@linux
def test_what_is_not_ours_to_clear_stays(tmp_path: Path) -> None:
    """Of another place, of another machine, of other programs, and files."""
    place = tmp_path / "place"
    subprocess.run([sys.executable, "-c", _KILLED, tmp_path / "placed", "dies"], check=False, stdout=subprocess.DEVNULL)
    (theirs,) = unfinished(place)
    here, number = theirs.removeprefix(".placed.").removesuffix(".tmp").split("-")
    others = [".place.tmp", f".place.{'0' * 8}-{number}.tmp", f".place.{here}-{number}.old", f".place.{number}.tmp"]
    for name in others:
        written(tmp_path / name, OLD)
    (tmp_path / f".place.{here}-{number}.tmp").symlink_to(tmp_path / "elsewhere")
    written(tmp_path / "elsewhere", OLD)

    put(place)

    assert set(unfinished(place)) >= {theirs, *others}
    assert read(tmp_path / "elsewhere") == OLD
    assert all(read(tmp_path / name) == OLD for name in others)


@linux
def test_where_no_folder_can_be_locked_all_of_them_stay(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    place = tmp_path / "place"
    subprocess.run([sys.executable, "-c", _KILLED, place, "dies"], check=False, stdout=subprocess.DEVNULL)
    left = unfinished(place)

    def unsupported(handle: int, how: int) -> None:
        raise OSError(95, "Operation not supported")

    monkeypatch.setattr(claimed, "flock", unsupported)
    put(place)

    assert read(place) == NEW
    assert unfinished(place) == left


@linux
def test_one_that_is_cleared_before_it_is_locked_is_not_used(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Another process clears the place between the two steps, or holds the lock to do so."""
    taken, lock = [os.rmdir, lambda path: None], claimed._locked

    def late(folder: Path) -> int | None:
        if not taken:
            return lock(folder)
        taken.pop()(folder)
        if folder.exists():
            raise BlockingIOError
        return lock(folder)

    monkeypatch.setattr(claimed, "_locked", late)
    put(tmp_path / "place")

    assert read(tmp_path / "place") == NEW
    assert not taken


_SAVER = """
import os, sys
from pathlib import Path
from garage_nb.core.folders import put_folder
seen, stop = 0, int(sys.argv[2])
def die(event, arguments):
    global seen
    if event in ("open", "os.rename", "os.mkdir", "os.rmdir", "os.remove", "ctypes.call_function", "os.scandir"):
        seen += 1
        if seen == stop:
            os.kill(os.getpid(), 9)
sys.addaudithook(die)
with put_folder(Path(sys.argv[1])) as beside:
    for name in "ac":
        (beside / name).write_text("new")
os._exit(0)
"""


@pytest.mark.skipif(sys.platform == "win32", reason="no SIGKILL")
def test_killed_at_any_step_the_old_one_or_the_new_one_is_whole(tmp_path: Path) -> None:
    """A child is killed at its first opened file, rename or removal, then at its second, until one comes through."""
    found, returned = [], -signal.SIGKILL
    while returned == -signal.SIGKILL:
        place = tmp_path / str(len(found)) / "place"
        written(place, OLD)
        returned = subprocess.run([sys.executable, "-c", _SAVER, place, str(len(found) + 1)], check=False).returncode
        found.append(read(place))

    assert returned == 0
    assert all(files in (OLD, {"a": "new", "c": "new"}) for files in found)
    assert found[0] == OLD
    assert found[-1] != OLD
    assert len(found) > 8
