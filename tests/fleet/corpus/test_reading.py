"""A corpus as tokens: the ids of `prepare`, text by text, and its refusals as texts that were set aside."""

import gzip
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from transformers import T5Config, T5ForConditionalGeneration

from garage_nb.core.batch import prepare
from garage_nb.errors import InputError
from garage_nb.fleet.corpus.corpus import corpus_of
from garage_nb.fleet.corpus.reading import texts_of
from garage_nb.fleet.corpus.text import SetAside, Text
from garage_nb.fleet.cutting import chunks_of
from garage_nb.registry.lift import Lifted, lift
from garage_nb.showroom import items, path
from tests.families import tiny

ODD = ["naïve — 数 🙂", " leading", "line\nend", "\x00", "<|eos|> typed", "x" * 100]


@pytest.fixture(scope="module")
def showroom() -> Lifted:
    return lift(str(path("showroom-llama")))


def test_the_ids_are_those_that_a_prompt_has(showroom: Lifted) -> None:
    texts = [*(item.text for item in items("arithmetic", "test", 300)), *ODD]

    read = list(texts_of(corpus_of(texts), showroom))

    alone = [prepare(text, showroom.model, showroom.tokenizer).input_ids[0].tolist() for text in texts]
    assert read == [Text(f"text {number}", tuple(ids)) for number, ids in enumerate(alone)]


@pytest.mark.parametrize(
    ("entry", "why", "said"),
    [
        ("", "it is empty", ""),
        (" \n", "it is empty", " \\n"),
        ([], "it is empty", ""),
        ("half \ud800", "it holds half a character (U+D800) at position 5", "half \\ud800"),
        ("a " * 200, "it has 202 tokens; this model was made for 128", "a " * 30),
        ([1] * 129, "it has 129 tokens; this model was made for 128", ""),
        ([1, 1243, 2], "token id 1243 is out of this model's vocabulary of 1,243", ""),
        ([1, -1], "token id -1 is out of this model's vocabulary of 1,243", ""),
    ],
)
def test_what_a_prompt_may_not_be_is_set_aside(showroom: Lifted, entry: Any, why: str, said: str) -> None:
    with pytest.raises(InputError):
        prepare(entry, showroom.model, showroom.tokenizer)

    read = list(texts_of(corpus_of([[1], entry, [1, 2]]), showroom))

    assert read == [Text("text 0", (1,)), SetAside("text 1", why, said), Text("text 2", (1, 2))]


def test_the_most_a_model_can_take_is_taken(showroom: Lifted) -> None:
    longest = [1242] * 128

    assert list(texts_of(corpus_of([longest]), showroom)) == [Text("text 0", tuple(longest))]


def test_a_label_stays_with_its_text(showroom: Lifted) -> None:
    rows = [{"text": "a", "topic": "law"}, {"text": [5], "topic": 3}, {"text": "b", "topic": "\ud800"}]

    first, second, aside = texts_of(corpus_of(rows, label="topic"), showroom)

    assert isinstance(first, Text)
    assert first.label == "law"
    assert second == Text("text 1", (5,), "3")
    assert aside == SetAside("text 2", "it holds half a character (U+D800) at position 0", "b")


def test_words_need_a_tokenizer_and_ids_do_not() -> None:
    bare = lift(tiny("gpt2"))

    assert list(texts_of(corpus_of([[3, 1]]), bare)) == [Text("text 0", (3, 1))]
    with pytest.raises(InputError, match="no tokenizer came with this model"):
        list(texts_of(corpus_of([[3, 1], "words"]), bare))


def test_an_endless_source_is_read_as_far_as_it_is_asked_for(showroom: Lifted) -> None:
    drawn: list[int] = []

    def endless() -> Iterator[str]:
        while True:
            drawn.append(1)
            yield "again"

    texts = texts_of(corpus_of(endless()), showroom)

    assert next(texts).where == "text 0"
    assert len(drawn) < 300


def test_of_an_encoder_decoder_model_these_are_what_the_encoder_reads() -> None:
    both = lift(T5ForConditionalGeneration(T5Config(vocab_size=64, d_model=16, d_ff=16, num_layers=1, num_heads=2)))

    read = list(texts_of(corpus_of([[3, 1, 4], [64]]), both))

    assert read[0] == Text("text 0", tuple(prepare([3, 1, 4], both.model).input_ids[0].tolist()))
    assert isinstance(read[1], SetAside)


@pytest.fixture
def sources(tmp_path: Path) -> dict[str, Any]:
    """The same texts, each time out of something else."""
    datasets = pytest.importorskip("datasets")
    texts = [item.text.replace("\n", " ") for kind in ("arithmetic", "stories") for item in items(kind, "test", 60)]
    rows = [{"text": text} for text in [*texts, "", *ODD[3:]]]
    files = {ending: tmp_path / f"corpus{ending}" for ending in (".txt", ".jsonl", ".parquet", ".jsonl.gz")}
    files[".txt"].write_text("\n".join(row["text"] for row in rows), encoding="utf-8")
    files[".jsonl"].write_text("\n".join(map(json.dumps, rows)), encoding="utf-8")
    files[".jsonl.gz"].write_bytes(gzip.compress(files[".jsonl"].read_bytes()))
    dataset = datasets.Dataset.from_list(rows)
    dataset.to_parquet(files[".parquet"])
    listed = {"list": rows, "generator": (row["text"] for row in rows)}
    return {**files, **listed, "Dataset": dataset, "IterableDataset": dataset.to_iterable_dataset()}


def test_the_same_texts_are_the_same_chunks_out_of_any_source(showroom: Lifted, sources: dict[str, Any]) -> None:
    def read(source: Any) -> tuple[list[list[tuple[int, ...]]], list[str]]:
        found = list(texts_of(corpus_of(source), showroom))
        chunks = chunks_of((one for one in found if isinstance(one, Text)), rows=8, window=50)
        aside = [one.why for one in found if isinstance(one, SetAside)]
        return [[text.ids for text in chunk.texts] for chunk in chunks], aside

    chunks, aside = read(sources.pop("list"))

    assert len(chunks) > 15
    assert aside == ["it is empty"]
    assert all(read(source) == (chunks, aside) for source in sources.values())
