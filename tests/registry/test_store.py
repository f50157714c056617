"""Spec files: what was written comes back equal, and nothing that happens to a file is mistaken for a spec."""

from __future__ import annotations

import json
import random
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from garage_nb.errors import SpecFileError
from garage_nb.registry.decompose import spec_of
from garage_nb.registry.store import SpecStore
from tests.families import FAMILIES, tiny


@pytest.fixture
def store(tmp_path: Path) -> SpecStore:
    return SpecStore(tmp_path / "specs")


@pytest.mark.parametrize("model_type", FAMILIES)
def test_a_spec_comes_back_equal(store: SpecStore, model_type: str) -> None:
    spec = spec_of(tiny(model_type), f"tiny/{model_type}")

    store.save(spec)

    assert store.load(spec.model_id) == spec
    assert store.ids() == [spec.model_id]


def test_nested_rope_settings_come_back_equal(store: SpecStore) -> None:
    """Gemma 3 has one set a layer type; Llama 3 scales."""
    scaled = {
        "rope_type": "llama3", "rope_theta": 5e5, "factor": 8.0, "low_freq_factor": 1.0, "high_freq_factor": 4.0,
        "original_max_position_embeddings": 32,
    }  # fmt: skip
    for spec in (spec_of(tiny("gemma3_text"), "gemma"), spec_of(tiny("llama", rope_parameters=scaled), "llama")):
        store.save(spec)

        assert store.load(spec.model_id) == spec
    assert store.load("gemma").extra_info["rope"]["full_attention"]["rope_type"] == "default"
    assert store.load("llama").extra_info["rope"] == scaled


def test_an_id_never_saved_is_none(store: SpecStore) -> None:
    assert store.load("nothing") is None
    assert store.ids() == []


HOSTILE_IDS = [
    "..",
    "../../etc/passwd",
    "a/b",
    "a__b",
    "a\\b",
    "..\\..\\x",
    "a\0b",
    "x" * 5000,
    "\ud800",
    "CON",
    "",
    " ",
]


def test_hostile_ids_stay_in_the_folder_and_apart(store: SpecStore) -> None:
    model = tiny("llama", layers=1)
    for model_id in HOSTILE_IDS:
        store.save(spec_of(model, model_id) if model_id else _named(model, ""))

    assert {store.load(model_id).model_id for model_id in HOSTILE_IDS} == set(HOSTILE_IDS)
    assert len(list(store.folder.iterdir())) == len(HOSTILE_IDS)
    assert [path.name for path in store.folder.parent.iterdir()] == ["specs"]


def _named(model: Any, model_id: str) -> Any:
    from dataclasses import replace

    return replace(spec_of(model), model_id=model_id)


def refuses(store: SpecStore, path: Path, damaged: bytes) -> bool:
    path.write_bytes(damaged)
    with pytest.raises(SpecFileError) as caught:
        store.load("llama")
    return path.read_bytes() == damaged and str(caught.value).count("\n") == 1


def test_a_truncated_file_is_refused_and_left_in_place(store: SpecStore) -> None:
    path = store.save(spec_of(tiny("llama", layers=1), "llama"))
    whole = path.read_bytes()

    cuts = range(0, len(whole) - 2, 50)

    assert all(refuses(store, path, whole[:cut]) for cut in cuts)


def test_a_flipped_bit_is_refused_or_changes_nothing(store: SpecStore) -> None:
    spec = spec_of(tiny("llama", layers=1), "llama")
    path = store.save(spec)
    whole, rng, refused = path.read_bytes(), random.Random(0), 0

    for _ in range(500):
        flipped = bytearray(whole)
        flipped[rng.randrange(len(whole))] ^= 1 << rng.randrange(8)
        path.write_bytes(flipped)
        try:
            assert store.load("llama") == spec
        except SpecFileError:
            refused += 1

    assert refused > 400


@pytest.mark.parametrize(
    "text",
    ["", "null", "[]", "3", '"spec"', "{}", '{"spec": {}}', '{"spec": []}', '{"spec": {"parts": 3}}', "[" * 100_000,
     '{"schema": 1, "sha256": "", "spec": null}', "\ufeff{}", "NaN"],
)  # fmt: skip
def test_other_json_is_refused(store: SpecStore, text: str) -> None:
    path = store.save(spec_of(tiny("llama", layers=1), "llama"))

    assert refuses(store, path, text.encode())
    assert store.ids() == []


def test_a_file_of_another_model_is_refused(store: SpecStore) -> None:
    model = tiny("llama", layers=1)
    other = store.save(spec_of(model, "other"))
    path = store.save(spec_of(model, "llama"))

    assert refuses(store, path, other.read_bytes())


def test_an_edited_spec_is_refused(store: SpecStore) -> None:
    path = store.save(spec_of(tiny("llama", layers=1), "llama"))
    record = json.loads(path.read_text())
    record["spec"]["hidden_dim"] = 64

    assert refuses(store, path, json.dumps(record).encode())


def test_saving_over_a_damaged_file_keeps_it(store: SpecStore) -> None:
    spec = spec_of(tiny("llama", layers=1), "llama")
    path = store.save(spec)
    path.write_text("damaged")

    store.save(spec)

    assert store.load("llama") == spec
    assert path.with_suffix(".damaged").read_text() == "damaged"


WRITER = """
import sys
from garage_nb.registry.store import SpecStore
store = SpecStore(sys.argv[1])
spec = store.load("llama")
for _ in range(60):
    store.save(spec)
"""


def test_two_writers_never_fail_a_reader(store: SpecStore) -> None:
    spec = spec_of(tiny("llama", layers=1), "llama")
    store.save(spec)
    writers = [subprocess.Popen([sys.executable, "-c", WRITER, str(store.folder)]) for _ in range(2)]
    reads = 0

    while any(writer.poll() is None for writer in writers):
        assert store.load("llama") == spec
        reads += 1

    assert [writer.returncode for writer in writers] == [0, 0]
    assert reads > 100
    assert [path.suffix for path in store.folder.iterdir()] == [".json"]


FULL_DISK = """
import resource, sys
from garage_nb.registry.store import SpecStore
store = SpecStore(sys.argv[1])
spec = store.load("llama")
resource.setrlimit(resource.RLIMIT_FSIZE, (2000, 2000))
try:
    store.save(spec)
except OSError as error:
    print("refused", error.errno)
"""


def test_a_full_disk_leaves_the_old_file(store: SpecStore) -> None:
    path = store.save(spec_of(tiny("llama", layers=1), "llama"))
    before = path.read_bytes()

    done = subprocess.run(
        [sys.executable, "-c", FULL_DISK, str(store.folder)], capture_output=True, text=True, timeout=120
    )

    assert done.stdout.startswith("refused"), done.stderr
    assert path.read_bytes() == before
    assert list(store.folder.iterdir()) == [path]
