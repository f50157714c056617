"""Chunks are the same for the same texts, hold each exactly once, and keep within rows and tokens."""

from collections.abc import Iterator
from itertools import count, islice

from hypothesis import given
from hypothesis import strategies as st

from garage_nb.fleet.corpus.text import Chunk, Text
from garage_nb.fleet.cutting import chunks_of


def _texts(lengths: list[int]) -> list[Text]:
    return [Text(f"text {number}", (number,) * length) for number, length in enumerate(lengths)]


@given(st.lists(st.integers(1, 30), max_size=60), st.integers(1, 8), st.integers(1, 60), st.integers(1, 20))
def test_each_text_is_in_one_chunk_of_its_window_in_order_of_length(
    lengths: list[int], rows: int, most: int, window: int
) -> None:
    texts = _texts(lengths)

    chunks = list(chunks_of(texts, rows, most, window))

    assert [chunk.number for chunk in chunks] == list(range(len(chunks)))
    windows = [texts[start : start + window] for start in range(0, len(texts), window)]
    in_order = [text for near in windows for text in sorted(near, key=lambda text: (len(text.ids), texts.index(text)))]
    assert [text for chunk in chunks for text in chunk.texts] == in_order
    for chunk in chunks:
        size = len(chunk.texts)
        assert 1 <= size <= rows
        assert size == 1 or size * len(chunk.texts[-1].ids) <= most


def test_a_chunk_is_filled_as_far_as_it_may() -> None:
    assert [len(chunk.texts) for chunk in chunks_of(_texts([4] * 70))] == [32, 32, 6]
    assert [len(chunk.texts) for chunk in chunks_of(_texts([1000] * 20))] == [8, 8, 4]
    assert list(chunks_of(_texts([9, 2, 2]), most=4)) == [
        Chunk(0, (Text("text 1", (1, 1)), Text("text 2", (2, 2)))),
        Chunk(1, (Text("text 0", (0,) * 9),)),
    ]


def test_the_first_chunk_comes_before_the_end_of_the_texts() -> None:
    drawn: list[int] = []

    def endless() -> Iterator[Text]:
        for number in count():
            drawn.append(number)
            yield Text(f"text {number}", (1,) * (1 + number % 7))

    assert [chunk.number for chunk in islice(chunks_of(endless()), 3)] == [0, 1, 2]
    assert len(drawn) == 1024
