"""An answer saved and opened again is the same, bit for bit, or it is refused: never something else."""

from __future__ import annotations

import json
import math
import os
import subprocess
import sys
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import garage_nb
from garage_nb.errors import GarageError, InputError
from garage_nb.garage import Garage
from garage_nb.view.bars import Column, Table
from garage_nb.view.frames import framed
from garage_nb.view.saved import SavedResult, open_result
from garage_nb.view.shown import Drawn, Shown
from tests.hostile import HALF, TEXTS, answers

ENDINGS = [".csv", ".parquet"]
PROMPT = TEXTS["controls"] + TEXTS["lines"] + '",",\r\n;=1+1'
FRANCE = "The capital of France is"


class Given(Shown):
    """A frame as an answer."""

    def __init__(self, frame: pd.DataFrame, **facts: Any) -> None:
        self._frame = frame
        vars(self).update(facts)

    def frame(self) -> pd.DataFrame:
        return self._frame

    def picture(self) -> Table:
        return Table(["a"], [Column("x", [1.0])], caption="as it was given", title="given")


def same(a: pd.DataFrame, b: pd.DataFrame) -> None:
    """Bit for bit: values, missing ones, dtypes, and the names of everything."""
    pd.testing.assert_frame_equal(a, b, check_exact=True, check_column_type=True)
    assert list(a.index.names) == list(b.index.names)
    assert list(a.dtypes) == list(b.dtypes)
    for name in a.columns[[dtype.kind == "f" for dtype in a.dtypes]]:
        assert np.array_equal(np.signbit(a[name].fillna(0)), np.signbit(b[name].fillna(0)))


@cache
def every_kind() -> dict[str, Shown]:
    """With half a character as the model's name, and all that CSV finds hard in the prompt."""
    return answers(HALF, PROMPT)


@pytest.fixture(scope="module")
def lens() -> Drawn:
    return Garage("showroom").lens(FRANCE)


@pytest.mark.parametrize("ending", ENDINGS)
def test_every_kind_of_answer_comes_back(tmp_path: Path, ending: str) -> None:
    for kind, answer in every_kind().items():
        found = open_result(answer.save(tmp_path / f"{kind}{ending}"))

        same(found.frame(), answer.frame())
        if not isinstance(answer, SavedResult):
            assert found.origin.kind == type(answer).__name__
        assert found.origin.about
        assert found.origin.kind in repr(found)
        assert found._repr_html_()


@pytest.mark.parametrize("ending", ENDINGS)
def test_plain_pandas_reads_them_too(tmp_path: Path, ending: str) -> None:
    for kind, answer in every_kind().items():
        frame = answer.frame()
        file = answer.save(tmp_path / f"{kind}{ending}")

        if ending == ".csv":
            plain = pd.read_csv(file, dtype=str, keep_default_na=False)
            assert plain.shape == (len(frame), frame.index.nlevels + len(frame.columns))
        elif kind != "settings":  # whose cells are of several kinds
            same(pd.read_parquet(file), frame)


def test_what_an_answer_says_of_itself_comes_too(tmp_path: Path, lens: Drawn) -> None:
    found = open_result(lens.save(tmp_path / "lens.csv"))

    table = lens.picture()
    assert isinstance(table, Table)
    assert (found.origin.kind, found.model_id) == ("Lens", "showroom")
    assert (found.origin.title, found.origin.caption) == (table.title, table.caption)
    assert found.origin.facts["target"] == " Paris"
    assert "One row a layer and position" in found.origin.about
    assert FRANCE in repr(found)
    assert "saved Lens · likeliest token" in repr(found)


def test_saved_again_it_is_the_same_file(tmp_path: Path, lens: Drawn) -> None:
    first = lens.save(tmp_path / "a.csv")
    second = open_result(open_result(first).save(tmp_path / "b.parquet")).save(tmp_path / "c.csv")

    assert first.read_bytes() == second.read_bytes()
    assert Path(f"{first}.json").read_bytes() == Path(f"{second}.json").read_bytes()


HARD = pd.DataFrame(
    {
        "number": [0.1 + 0.2, -0.0, 5e-324, math.nan, -math.inf],
        "single": np.array([0.1, 1e-45, math.nan, 3.4e38, -0.0], dtype="float32"),
        "whole": [2**63 - 1, -(2**63), 0, 1, 2],
        "unsigned": np.array([2**64 - 1, 0, 1, 2, 3], dtype="uint64"),
        "perhaps": pd.array([1, None, 2**62 + 1, None, -1], dtype="Int64"),
        "claim": [True, False, True, False, False],
        "maybe": pd.array([True, None, False, None, True], dtype="boolean"),
        "text": ["007", "", "NA", "nan", "1e5"],
        "gaps": ["", None, "None", '"', "\x00\u2400"],
        "several": np.array([2**80, 0.1, True, "1", None], dtype=object),
        "a, \"b\"\r\nc\x00": [" x ", "\ufeff", "\r", "\n", "\t,"],
    },
    index=pd.MultiIndex.from_arrays([["1", "1", "", "\x00", "b"], [0.1, 2.0, -0.0, 1e300, 5.0]], names=["n", "x"]),
)  # fmt: skip


@pytest.mark.parametrize("ending", ENDINGS)
@pytest.mark.parametrize("frame", [HARD, HARD.iloc[:0], HARD[[]], HARD.reset_index("x", drop=True)])
def test_hard_cells_come_back(tmp_path: Path, ending: str, frame: pd.DataFrame) -> None:
    found = open_result(Given(frame).save(tmp_path / f"hard{ending}")).frame()

    there = {"check_column_type": len(frame.columns) > 0, "check_index_type": len(frame) > 0}  # pandas types nothing
    pd.testing.assert_frame_equal(found, frame, check_exact=True, **there)
    for name in frame.columns:
        assert list(map(repr, found[name])) == list(map(repr, frame[name]))


TEXT = st.one_of(st.text(max_size=8), st.sampled_from(["", "NA", "\r\n", '"', ",", "\x00", "1"]))


@settings(max_examples=25, deadline=None)
@given(rows=st.lists(st.tuples(TEXT, TEXT, st.floats()), min_size=1, max_size=6), ending=st.sampled_from(ENDINGS))
def test_any_text_and_any_number_comes_back(
    tmp_path_factory: pytest.TempPathFactory, rows: list[tuple[str, str, float]], ending: str
) -> None:
    frame = framed("name", [row[0] for row in rows], ["text", "number"], [row[1:] for row in rows])

    found = open_result(Given(frame).save(tmp_path_factory.mktemp("any") / f"any{ending}"))

    same(found.frame(), frame)


@pytest.mark.parametrize("cell", [(1, 2), [1], {"a": 1}, b"x", 1j])
def test_what_no_table_of_text_can_hold_is_refused(tmp_path: Path, cell: Any) -> None:
    frame = framed("name", ["a", "b"], ["odd"], [(cell,), ("",)])

    for ending in ENDINGS:
        with pytest.raises(InputError, match="'odd' holds more than texts and numbers"):
            Given(frame).save(tmp_path / f"odd{ending}")
    assert list(tmp_path.iterdir()) == []


def tried(path: Path) -> SavedResult | InputError:
    try:
        return open_result(path)
    except InputError as error:
        return error


@pytest.mark.parametrize("name", ["lens.csv", "lens.csv.json", "lens.parquet"])
def test_a_changed_or_cut_file_is_refused_or_says_the_same(tmp_path: Path, lens: Drawn, name: str) -> None:
    """Some bytes of a Parquet file, such as who wrote it, say nothing of the table."""
    places = [lens.save(tmp_path / f"lens{ending}") for ending in ENDINGS]
    file, opened = tmp_path / name, places[1] if name == "lens.parquet" else places[0]
    whole, frame, refused = file.read_bytes(), lens.frame(), 0

    for place in [*range(0, len(whole), max(1, len(whole) // 60)), len(whole) - 1]:
        for data in (whole[:place], whole[:place] + bytes([whole[place] ^ 1]) + whole[place + 1 :]):
            file.write_bytes(data)
            found = tried(opened)
            if isinstance(found, InputError):
                refused += 1
                assert found.hint
            else:
                same(found.frame(), frame)
                assert found.origin.kind == "Lens"

    assert refused > 80


def test_a_csv_with_the_json_of_another_is_refused(tmp_path: Path, lens: Drawn) -> None:
    """As after a crash between the two."""
    place = lens.save(tmp_path / "lens.csv")
    before = place.read_bytes()
    Garage("showroom").lens("Hello").save(place)

    place.write_bytes(before)

    with pytest.raises(InputError, match="changed or cut"):
        open_result(place)


def without_its_json(place: Path) -> None:
    Path(f"{place}.json").unlink()


def newer(place: Path) -> None:
    beside = Path(f"{place}.json")
    beside.write_text(json.dumps({**json.loads(beside.read_text()), "version": 2}))


def of_something_else(place: Path) -> None:
    Path(f"{place}.json").write_text('{"format": "x", "version": 1}')


def gone(place: Path) -> None:
    place.unlink()


@pytest.mark.parametrize(
    ("spoil", "said"),
    [
        (without_its_json, "has no lens.csv.json beside it"), (newer, "of version 2; this one reads 1"),
        (of_something_else, "changed or cut"), (gone, "cannot be read"),
    ],
)  # fmt: skip
def test_it_says_what_is_wrong(tmp_path: Path, lens: Drawn, spoil: Callable[[Path], None], said: str) -> None:
    place = lens.save(tmp_path / "lens.csv")

    spoil(place)

    with pytest.raises(InputError, match=said) as caught:
        open_result(place)
    assert caught.value.hint


def test_a_parquet_file_of_others_is_none_of_ours(tmp_path: Path) -> None:
    HARD[["number"]].to_parquet(tmp_path / "theirs.parquet")

    with pytest.raises(InputError, match=r"no result of garage_nb"):
        open_result(tmp_path / "theirs.parquet")


@pytest.mark.parametrize("name", ["lens", "lens.json", "lens.pkl", "lens.CSV"])
def test_another_ending_is_refused(tmp_path: Path, lens: Drawn, name: str) -> None:
    with pytest.raises(InputError, match=r"\.parquet or \.csv"):
        lens.save(tmp_path / name)
    with pytest.raises(InputError, match=r"\.parquet or \.csv"):
        open_result(tmp_path / name)


def test_what_cannot_be_written_leaves_the_old_file(
    tmp_path: Path, lens: Drawn, monkeypatch: pytest.MonkeyPatch
) -> None:
    places = [lens.save(tmp_path / f"lens{ending}") for ending in ENDINGS]
    before = {file.name: file.read_bytes() for file in tmp_path.iterdir()}

    def full(*_: Any) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "replace", full)
    for place in places:
        with pytest.raises(InputError, match="No space left on device"):
            Garage("showroom").lens("Hello").save(place)

    assert {file.name: file.read_bytes() for file in tmp_path.iterdir()} == before


WITHOUT = """
import sys
sys.modules["pyarrow"] = None
import pandas as pd
from garage_nb.errors import InputError
from garage_nb.view.frames import framed
from garage_nb.view.origin import Origin
from garage_nb.view.saving import opened, save
frame, origin = framed("part", ["a", "b"], ["text", "x"], [("NA", 0.5), ("", 1.5)]), Origin("Lens", "", "", "", {})
for path in sys.argv[1:]:
    try:
        save(origin, frame, path)
        pd.testing.assert_frame_equal(opened(path)[1], frame, check_exact=True)
        print("SAME")
    except InputError as error:
        print(error)
"""


def test_without_pyarrow_csv_works_and_parquet_says_how_to_get_it(tmp_path: Path) -> None:
    files = [str(tmp_path / f"x{ending}") for ending in ENDINGS]

    done = subprocess.run([sys.executable, "-c", WITHOUT, *files], capture_output=True, text=True, timeout=120)

    assert done.stdout.splitlines() == [
        "SAME", "Parquet needs pyarrow, which is not installed.",
        "Save to a .csv file, or install it: pip install 'garage-nb[parquet]'",
    ], done.stderr  # fmt: skip


WRITING = """
import itertools
import sys
from garage_nb.view.frames import framed
from garage_nb.view.origin import Origin
from garage_nb.view.saving import save
for turn in itertools.count():
    frame = framed("part", [f"{turn}"] * 50, ["x"], [(float(turn),)] * 50)
    for path in sys.argv[1:]:
        save(Origin("Lens", "", "", "", {"turn": turn}), frame, path)
    print(turn, flush=True)
"""


def test_a_killed_writer_leaves_whole_files(tmp_path: Path) -> None:
    """Every Parquet file is whole; a CSV is too, or is refused because its JSON is of another turn."""
    files = [tmp_path / f"x{ending}" for ending in ENDINGS]
    writer = subprocess.Popen([sys.executable, "-c", WRITING, *map(str, files)], stdout=subprocess.PIPE)
    assert writer.stdout is not None

    for _ in range(20):
        writer.stdout.readline()
        found = [tried(file) for file in files]
        for one in found:
            if isinstance(one, SavedResult):
                assert (one.frame()["x"] == one.origin.facts["turn"]).all()
        assert isinstance(found[1], SavedResult)
    writer.kill()
    writer.communicate()

    assert isinstance(tried(files[1]), SavedResult)


def test_names_of_rows_make_a_line_and_names_of_two_words_a_grid(tmp_path: Path, lens: Drawn) -> None:
    shot = Garage("showroom").capture(FRANCE)
    line = open_result(shot.save(tmp_path / "capture.csv")).plot("sparsity")
    grid = open_result(lens.save(tmp_path / "lens.csv")).plot("entropy")

    assert line.axes.lines[0].get_ydata().tolist() == shot.values_of("sparsity")
    assert (line.axes.get_xlabel(), line.axes.get_ylabel()) == ("part", "sparsity, tau 0.1")
    squares = np.asarray(grid.axes.images[0].get_array())
    assert np.array_equal(squares, lens.frame()["entropy"].unstack().loc[[f"layer_{i}" for i in range(6)]])
    assert grid.axes.get_xlabel() == "position"
    assert grid.frame().equals(lens.frame())


def test_names_of_three_words_and_gaps_are_drawn(tmp_path: Path) -> None:
    keys = [("a", 0, 0), ("a", 0, 1), ("a", 1, 0)]
    frame = framed(("part", "head", "query"), keys, ["x"], [(1.0,), (math.inf,), (3.0,)])

    squares = open_result(Given(frame, threshold=0.4).save(tmp_path / "x.csv")).plot().axes.images[0].get_array()

    assert np.array_equal(np.ma.filled(squares, math.nan), [[1.0, math.nan], [3.0, math.nan]], equal_nan=True)


def test_a_column_that_cannot_be_drawn_is_refused(tmp_path: Path, lens: Drawn) -> None:
    found = open_result(lens.save(tmp_path / "lens.csv"))
    texts = open_result(Given(framed("name", ["a"], ["text"], [("b",)])).save(tmp_path / "texts.csv"))

    for column in ("token_1", "entropie"):
        with pytest.raises(InputError, match="no column of numbers") as caught:
            found.plot(column)
        assert "entropy" in caught.value.hint
    with pytest.raises(InputError, match="no numbers to draw"):
        texts.plot()


def test_a_plot_saves_its_picture_or_its_numbers(tmp_path: Path, lens: Drawn) -> None:
    plot = lens.plot("entropy")

    assert plot.save(tmp_path / "lens.png").read_bytes().startswith(b"\x89PNG")
    same(open_result(plot.save(tmp_path / "lens.csv")).frame(), lens.frame())
    with pytest.raises(GarageError, match="cannot be written"):
        plot.save(tmp_path / "lens.txt")


def test_it_is_a_public_name() -> None:
    assert garage_nb.open_result is open_result
