"""A broken line is set aside by its number with the reason, and every other line is read."""

import gzip
import tracemalloc
from collections import deque
from itertools import islice
from pathlib import Path

import pytest

from garage_nb.errors import InputError
from garage_nb.fleet.corpus.corpus import corpus_of
from garage_nb.fleet.corpus.entry import Entry
from garage_nb.fleet.corpus.text import SetAside

BROKEN = {
    b"": "it is empty",
    b"nope": "it is no JSON from column 1 on: Expecting value",
    b'{"text": "cut of': "it is no JSON from column 10 on: Unterminated string",
    b'["a"]': "it is no JSON object",
    b"null": "it is no JSON object",
    b'{"title": "x"}': "it has no 'text'",
    b'{"text": null}': "it is null, neither a text nor token ids",
    b'{"text": {"a": 1}}': "it is of type dict, neither a text nor token ids",
    b'{"text": "\xff"}': "it is not UTF-8: byte 0xff at 10",
    b'{"text": ' + b"[" * 100_000: "it is JSON that cannot be read",
    b'{"text": ' + b"1" * 5_000 + b"}": "it is JSON that cannot be read",
}


@pytest.mark.parametrize("end", [b"\n", b"\r\n"])
@pytest.mark.parametrize("mark", [b"", b"\xef\xbb\xbf"])
def test_broken_lines_of_json_are_set_aside_with_their_number_and_the_reason(
    tmp_path: Path, end: bytes, mark: bytes
) -> None:
    path = tmp_path / "corpus.jsonl"
    path.write_bytes(mark + end.join([b'{"text": "first"}', *BROKEN, b'{"text": "last"}']))

    first, *broken, last = corpus_of(path)

    assert first == Entry("line 1", "first")
    assert last == Entry(f"line {len(BROKEN) + 2}", "last")
    assert {(one.where, one.why) for one in broken if isinstance(one, SetAside)} == {
        (f"line {number}", why) for number, why in enumerate(BROKEN.values(), start=2)
    }


def test_a_set_aside_line_is_told_short_and_as_text(tmp_path: Path) -> None:
    path = tmp_path / "corpus.txt"
    path.write_bytes(b"fine\n\x1b[31m\xff" + b"x" * 1000)

    _, aside = corpus_of(path)

    assert aside == SetAside("line 2", "it is not UTF-8: byte 0xff at 5", "\\x1b[31m\ufffd" + "x" * 54)


def test_lines_of_text_end_in_either_way_and_begin_behind_a_byte_order_mark(tmp_path: Path) -> None:
    path = tmp_path / "corpus.txt"
    path.write_bytes(b"\xef\xbb\xbfone\r\n two \n\x0c three\r\n")

    assert [entry.said for entry in corpus_of(path) if isinstance(entry, Entry)] == ["one", " two ", "\x0c three"]


def test_a_gzipped_file_that_is_cut_is_an_error_behind_the_last_whole_line(tmp_path: Path) -> None:
    path = tmp_path / "corpus.txt.gz"
    path.write_bytes(gzip.compress("".join(f"{n * 7919}\n" for n in range(20_000)).encode())[:-400])
    left = iter(corpus_of(path))
    read = list(islice(left, 10_000))

    with pytest.raises(InputError) as refused:
        deque(left, maxlen=0)

    assert all(isinstance(entry, Entry) for entry in read)
    number = int(refused.value.what.partition("behind line ")[2].partition(":")[0])
    assert 10_000 <= number < 20_000


def test_what_is_not_gzip_is_refused_at_once(tmp_path: Path) -> None:
    path = tmp_path / "corpus.jsonl.gz"
    path.write_bytes(b'{"text": "plain"}')

    with pytest.raises(InputError, match="Not a gzipped file"):
        corpus_of(path)


@pytest.mark.parametrize("ending", [".txt", ".txt.gz"])
def test_a_large_file_takes_no_more_memory_than_a_small_one(tmp_path: Path, ending: str) -> None:
    path, data = tmp_path / f"corpus{ending}", b"".join(b"%08d%s\n" % (n, b"x" * 1000) for n in range(10_000))
    path.write_bytes(gzip.compress(data, 1) if ending.endswith(".gz") else data)
    corpus = corpus_of(path)

    tracemalloc.start()
    read = sum(isinstance(entry, Entry) for entry in corpus)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()

    assert read == 10_000
    assert peak < len(data) / 10
