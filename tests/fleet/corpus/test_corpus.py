"""A corpus is the same texts out of any source, and what cannot be a corpus is refused before the first of them."""

import gzip
import json
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow
import pytest
import torch
from pyarrow import parquet

from garage_nb.errors import InputError
from garage_nb.fleet.corpus.corpus import corpus_of
from garage_nb.fleet.corpus.entry import Entry
from garage_nb.fleet.corpus.text import SetAside

TEXTS = ["the boy sees the dog", "3 + 4 = 7", "naïve — 数 🙂", "", "a\tb", "a line\u2028of its own"]
ROWS = [{"number": number, "text": text, "topic": number % 2} for number, text in enumerate(TEXTS)]


def _file(folder: Path, ending: str) -> Path:
    path = folder / f"corpus{ending}"
    if ending == ".parquet":
        parquet.write_table(pyarrow.Table.from_pylist(ROWS), path)
        return path
    lines = TEXTS if ending.startswith(".txt") else list(map(json.dumps, ROWS))
    data = "\n".join(lines).encode()
    path.write_bytes(gzip.compress(data) if ending.endswith(".gz") else data)
    return path


def _said(corpus: Iterable[Entry | SetAside]) -> list[Any]:
    return [(entry.said, entry.label) for entry in corpus if isinstance(entry, Entry)]


@pytest.mark.parametrize("ending", [".txt", ".txt.gz", ".jsonl", ".jsonl.gz", ".parquet", ".JSONL"])
def test_every_kind_of_file_holds_the_same_texts(tmp_path: Path, ending: str) -> None:
    corpus = corpus_of(str(_file(tmp_path, ending)))

    assert corpus.name == f"corpus{ending}"
    assert _said(corpus) == _said(corpus) == [(text, "") for text in TEXTS]


@pytest.mark.parametrize("ending", [".jsonl", ".parquet"])
def test_a_field_is_the_label(tmp_path: Path, ending: str) -> None:
    corpus = corpus_of(_file(tmp_path, ending), label="topic")

    assert _said(corpus) == [(text, str(number % 2)) for number, text in enumerate(TEXTS)]


@pytest.mark.parametrize("kind", [None, "numpy", "torch"])
def test_a_dataset_is_read_in_any_of_its_formats(kind: str | None) -> None:
    datasets = pytest.importorskip("datasets")
    dataset = datasets.Dataset.from_list([{"text": [3, 1, 4], "topic": 1}, {"text": [5], "topic": 0}])

    for one in (dataset.with_format(kind), dataset.to_iterable_dataset().with_format(kind)):
        assert _said(corpus_of(one, label="topic")) == [((3, 1, 4), "1"), ((5,), "0")]
        assert corpus_of(one).name == type(one).__name__


def test_an_iterable_may_hold_texts_ids_and_rows() -> None:
    ids = [[1, 2], (3,), np.array([4, 5]), torch.tensor([6])]

    corpus = corpus_of([*ids, "seven", {"text": "eight"}])

    assert [entry.said for entry in corpus if isinstance(entry, Entry)] == [
        (1, 2), (3,), (4, 5), (6,), "seven", "eight",
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("value", "why"),
    [
        (None, "it is null, neither a text nor token ids"),
        (3.5, "it is of type float, neither a text nor token ids"),
        ([1.0, 2.0], "it is of type list, neither a text nor token ids"),
        ([True], "it is of type list, neither a text nor token ids"),
        (torch.ones(1, 2).long(), "it is of type Tensor, neither a text nor token ids"),
        (b"bytes", "it is of type bytes, neither a text nor token ids"),
        ({"text": "no label"}, "it has no 'topic'"),
        ({"text": "no label", "topic": None}, "its 'topic' is null, not a word or a number"),
    ],
)
def test_what_is_no_text_is_set_aside_in_its_place(value: Any, why: str) -> None:
    row = value if isinstance(value, dict) else {"text": value, "topic": "x"}
    good = {"text": "good", "topic": "x"}

    first, aside, last = corpus_of([good, row, good], label="topic")

    assert aside == SetAside("text 1", why, "no label" if isinstance(value, dict) else "")
    assert (first, last) == (Entry("text 0", "good", "x"), Entry("text 2", "good", "x"))


def _refused(source: Any, **asked: str) -> str:
    with pytest.raises(InputError) as refused:
        list(corpus_of(source, **asked))
    return str(refused.value)


@pytest.mark.parametrize(
    ("source", "what"),
    [
        ("corpus.csv", "corpus.csv is no kind of file that holds a corpus."),
        ("missing.txt", "There is no file missing.txt."),
        ({"train": ["a"]}, "A corpus was expected, not dict."),
        (b"text", "A corpus was expected, not bytes."),
        (3, "A corpus was expected, not int."),
        ([], "list is empty."),
    ],
)
def test_what_cannot_be_a_corpus_is_refused(source: Any, what: str) -> None:
    assert _refused(source).startswith(what)


@pytest.mark.parametrize("ending", [".jsonl", ".parquet"])
def test_a_field_that_no_entry_has_is_refused_at_once_with_the_nearest(tmp_path: Path, ending: str) -> None:
    path = _file(tmp_path, ending)

    for name, there in (("texts", "text"), ("topics", "topic")):
        with pytest.raises(InputError) as refused:
            corpus_of(path, **{"field" if there == "text" else "label": name})
        assert str(refused.value).startswith(f"The corpus has no {name!r}.\nNearest: {there}")


def test_texts_without_fields_have_no_label(tmp_path: Path) -> None:
    assert "no 'topic'" in _refused(TEXTS, label="topic")
    assert "no 'topic'" in _refused(_file(tmp_path, ".txt"), label="topic")


@pytest.mark.parametrize("ending", [".txt", ".jsonl.gz", ".parquet"])
def test_an_empty_file_is_refused_at_once(tmp_path: Path, ending: str) -> None:
    path = tmp_path / f"empty{ending}"
    if ending == ".parquet":
        parquet.write_table(pyarrow.table({"text": pyarrow.array([], pyarrow.string())}), path)
    else:
        path.write_bytes(gzip.compress(b"") if ending.endswith(".gz") else b"")

    with pytest.raises(InputError, match=f"empty{ending} is empty"):
        corpus_of(path)


def test_a_generator_is_read_once_lazily_and_never_taken_for_an_empty_corpus() -> None:
    drawn: list[int] = []

    def texts() -> Iterator[str]:
        for number in range(1000):
            drawn.append(number)
            yield f"text {number}"

    corpus = corpus_of(texts())
    assert not drawn

    left = iter(corpus)
    assert next(left) == Entry("text 0", "text 0")
    assert len(drawn) < 200

    assert len(list(left)) == 999
    with pytest.raises(InputError, match="is empty"):
        iter(corpus)
