"""Spec files: what was filed comes back equal, and nothing that happens to a file is mistaken for a spec or lost."""

from __future__ import annotations

import json
import os
import random
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from garage_nb.errors import SpecFileError
from garage_nb.registry.decompose import spec_of
from garage_nb.registry.specs import ModelSpec
from garage_nb.registry.store import SCHEMA, Key, SpecStore
from tests.families import FAMILIES, tiny

KEY = Key("id", "llama")


def left(store: SpecStore) -> dict[str, bytes]:
    """Everything in the folder, by name."""
    return {path.name: path.read_bytes() for path in store.folder.iterdir()}


@pytest.mark.parametrize("model_type", FAMILIES)
def test_a_spec_comes_back_equal(store: SpecStore, model_type: str) -> None:
    spec = spec_of(tiny(model_type), f"tiny/{model_type}")

    store.save(Key("id", spec.model_id), spec)

    assert store.load(Key("id", spec.model_id)) == spec
    assert store.keys() == [Key("id", spec.model_id)]


def test_numbers_text_and_nesting_come_back_equal(store: SpecStore, spec: ModelSpec) -> None:
    odd = {"rope": {"full": {"theta": 5e5, "factors": [1.0, 1e-30, -0.0]}}, "words": "\ud800 é 😀 \0", "none": None}
    spec = replace(spec, extra_info=odd)

    store.save(KEY, spec)

    assert store.load(KEY) == spec


def test_names_are_read_off_the_heads_of_files(store: SpecStore, spec: ModelSpec) -> None:
    odd = '\ud800 "é" 😀/' + "long" * 500
    for key in (Key("id", odd), Key("id", "b"), Key("anatomy", "c")):
        store.save(key, spec)
    whole = store.path(Key("id", "b"))
    whole.write_bytes(whole.read_bytes()[:5000])  # damaged far behind its head: still a name
    (store.folder / "stray.json").write_bytes(whole.read_bytes())
    (store.folder / "other.json").write_text("[]")

    assert store.filed("id") == sorted([odd, "b"])
    assert store.filed("anatomy") == ["c"]


def test_a_key_never_saved_is_none(store: SpecStore) -> None:
    assert store.load(KEY) is None
    assert store.read(KEY) is None
    assert store.keys() == []
    assert not store.folder.exists()


HOSTILE = [
    "..", "../../etc/passwd", "/etc/passwd", "a/b", "a__b", "a\\b", "..\\..\\x", "a\0b", "x" * 300, "x" * 301,
    "x" * 5000, "\ud800", "\ud83d\ude00", "\U0001f600", "\\ud83d\\ude00", "caf\u00e9", "cafe\u0301", "case", "CASE",
    "CON", "a.", "a", "a ", "", " ", "id a", "\n", "*.json", ".damaged", "'", '"',
]  # fmt: skip


def test_hostile_names_stay_in_the_folder_and_apart(store: SpecStore, spec: ModelSpec) -> None:
    keys = [Key(kind, text) for kind in ("id", "anatomy", "id id", "") for text in HOSTILE]
    for number, key in enumerate(keys):
        store.save(key, replace(spec, model_id=key.text, hidden_dim=number))

    assert [(store.load(key).model_id, store.load(key).hidden_dim) for key in keys] == [
        (key.text, number) for number, key in enumerate(keys)
    ]
    assert store.keys() == sorted(keys)
    assert len(left(store)) == len(keys)
    assert all(len(name) < 60 and name.isascii() for name in left(store))
    assert [path.name for path in store.folder.parent.iterdir()] == ["specs"]


def test_the_umask_says_who_may_read(tmp_path: Path, spec: ModelSpec) -> None:
    before = os.umask(0)
    try:
        for mask in (0o022, 0o027, 0o077):
            os.umask(mask)
            path = SpecStore(tmp_path / oct(mask)).save(KEY, spec)

            assert path.stat().st_mode & 0o777 == 0o666 & ~mask
    finally:
        os.umask(before)


def test_filing_the_same_again_writes_nothing(store: SpecStore, spec: ModelSpec) -> None:
    path = store.save(KEY, spec)
    before = path.stat()

    store.save(KEY, spec)

    assert (path.stat().st_ino, path.stat().st_mtime_ns) == (before.st_ino, before.st_mtime_ns)


def test_the_last_one_filed_counts(store: SpecStore, spec: ModelSpec) -> None:
    store.save(KEY, spec)
    store.save(KEY, replace(spec, hidden_dim=99))

    assert store.load(KEY).hidden_dim == 99
    assert len(left(store)) == 1


def is_refused(store: SpecStore, path: Path, damaged: bytes) -> bool:
    """A miss for `load`, two lines from `read`, no key; and the file is still what it was."""
    path.write_bytes(damaged)
    with pytest.raises(SpecFileError) as caught:
        store.read(KEY)
    lines = str(caught.value).split("\n")
    told = str(path) in lines[0] and f"{path.stem}.damaged" in lines[1] and len(lines) == 2
    return told and store.load(KEY) is None and not set(store.keys()) & {KEY} and path.read_bytes() == damaged


def is_kept(store: SpecStore, spec: ModelSpec, damaged: bytes) -> bool:
    """Filing again heals the record, and the damaged bytes are still there."""
    store.save(KEY, spec)
    return store.read(KEY) == spec and damaged in left(store).values()


def test_a_truncated_file_is_a_miss(store: SpecStore, spec: ModelSpec) -> None:
    path = store.save(KEY, spec)
    whole = path.read_bytes()

    assert all(is_refused(store, path, whole[:cut]) for cut in range(0, len(whole) - 2, 50))
    assert is_kept(store, spec, path.read_bytes())


@pytest.mark.parametrize("flips", [500, pytest.param(20_000, marks=pytest.mark.slow)])
def test_a_flipped_bit_is_a_miss_or_changes_nothing(store: SpecStore, spec: ModelSpec, flips: int) -> None:
    path = store.save(KEY, spec)
    whole, rng, missed = path.read_bytes(), random.Random(0), 0

    for _ in range(flips):
        flipped = bytearray(whole)
        flipped[rng.randrange(len(whole))] ^= 1 << rng.randrange(8)
        path.write_bytes(flipped)
        found = store.load(KEY)
        missed += found is None
        assert found in (None, spec)

    assert missed > 0.8 * flips


@pytest.mark.parametrize(
    "text",
    ["", "null", "[]", "3", '"spec"', "{}", '{"spec": {}}', '{"spec": []}', '{"spec": {"parts": 3}}', "[" * 100_000,
     f'{{"schema": {SCHEMA}, "sha256": "", "spec": null}}', "\ufeff{}", "NaN", "9" * 10_000],
)  # fmt: skip
def test_other_json_is_a_miss(store: SpecStore, spec: ModelSpec, text: str) -> None:
    path = store.save(KEY, spec)

    assert is_refused(store, path, text.encode())
    assert is_kept(store, spec, text.encode())


def test_bytes_that_are_no_text_are_a_miss(store: SpecStore, spec: ModelSpec) -> None:
    path = store.save(KEY, spec)
    noise = random.Random(0).randbytes(5000)

    assert is_refused(store, path, noise)
    assert is_kept(store, spec, noise)


def test_a_file_of_another_key_is_a_miss(store: SpecStore, spec: ModelSpec) -> None:
    path = store.save(KEY, spec)
    for other in (Key("id", "other"), Key("anatomy", KEY.text)):
        foreign = store.save(other, spec).read_bytes()

        assert is_refused(store, path, foreign)
        assert is_kept(store, spec, foreign)
        assert store.load(other) == spec


def changed(path: Path, **fields: Any) -> bytes:
    return json.dumps({**json.loads(path.read_text()), **fields}).encode()


@pytest.mark.parametrize("fields", [{"schema": SCHEMA - 1}, {"schema": str(SCHEMA)}, {"key": ["id", 3]}, {"key": 7}])
def test_another_schema_or_key_is_a_miss(store: SpecStore, spec: ModelSpec, fields: dict[str, Any]) -> None:
    foreign = changed(store.save(KEY, spec), **fields)

    assert is_refused(store, store.path(KEY), foreign)
    assert is_kept(store, spec, foreign)


def test_an_edited_spec_is_a_miss(store: SpecStore, spec: ModelSpec) -> None:
    path = store.save(KEY, spec)
    edited = changed(path, spec={**json.loads(path.read_text())["spec"], "hidden_dim": 64})

    assert is_refused(store, path, edited)


def test_what_was_set_aside_is_never_overwritten(store: SpecStore, spec: ModelSpec) -> None:
    path = store.save(KEY, spec)

    for number in range(3):
        path.write_text(f"damage {number}")
        store.save(KEY, spec)

    whole = path.read_bytes()
    assert left(store) == {
        path.name: whole,
        f"{path.stem}.damaged": b"damage 0",
        f"{path.stem}.damaged-2": b"damage 1",
        f"{path.stem}.damaged-3": b"damage 2",
    }
    assert store.keys() == [KEY]


def test_a_copy_under_another_name_is_no_second_record(store: SpecStore, spec: ModelSpec) -> None:
    path = store.save(KEY, spec)
    path.with_name("copy.json").write_bytes(path.read_bytes())

    assert store.keys() == [KEY]


def test_damage_to_one_file_leaves_the_others(store: SpecStore, spec: ModelSpec) -> None:
    keys = [Key("id", str(number)) for number in range(4)]
    for key in keys:
        store.save(key, spec)

    store.path(keys[1]).write_text("damaged")

    assert store.keys() == [keys[0], *keys[2:]]
    assert [store.load(key) is not None for key in keys] == [True, False, True, True]


def test_a_folder_in_the_place_of_a_file_is_left_alone(store: SpecStore, spec: ModelSpec) -> None:
    inside = store.path(KEY) / "inside"
    inside.parent.mkdir(parents=True)
    inside.write_text("mine")

    assert store.load(KEY) is None
    assert store.keys() == []
    for action in (lambda: store.read(KEY), lambda: store.save(KEY, spec)):
        with pytest.raises(SpecFileError, match="Is a directory") as caught:
            action()
        assert str(caught.value).count("\n") == 1
    assert inside.read_text() == "mine"
    assert len(list(store.folder.iterdir())) == 1
