"""Tokenizers as sketches: equal, shared in part, and how far the estimate may be off."""

from __future__ import annotations

import json
import random

import pytest

from garage_nb.registry.tokens import KEPT, Share, overlap, tokenizer_fingerprint


class Words:
    """A tokenizer as far as a fingerprint looks."""

    def __init__(self, words: list[str]) -> None:
        self.words = words

    def get_vocab(self) -> dict[str, int]:
        return {word: index for index, word in enumerate(self.words)}


def shares(a: list[str], b: list[str]) -> tuple[Share, Share]:
    return overlap(tokenizer_fingerprint(Words(a)), tokenizer_fingerprint(Words(b)))


def numbered(start: int, stop: int, mark: str = "") -> list[str]:
    return [f"{mark}word{number}" for number in range(start, stop)]


def test_small_vocabularies_are_counted_exactly() -> None:
    first, second = shares(["a", "b", "c", "d"], ["c", "d", "e", "f", "g", "h", "i", "j"])

    assert (first, second) == (Share(0.5), Share(0.25))
    assert (str(first), str(second)) == ("50 %", "25 %")


def test_nothing_in_common_is_said_without_doubt_where_there_is_none() -> None:
    assert shares(["a"], ["b"]) == (Share(0.0), Share(0.0))


@pytest.mark.parametrize("common", [0, 1000, 5000, 10000, 20000])
def test_the_truth_lies_within_the_error(common: int) -> None:
    a, b = numbered(0, 20000), numbered(20000 - common, 50000 - common)

    first, second = shares(a, b)

    assert first.value == pytest.approx(common / 20000, abs=first.error)
    assert second.value == pytest.approx(common / 30000, abs=second.error)
    assert first.error < 0.12


def test_the_error_holds_nineteen_times_in_twenty() -> None:
    """Forty draws: with 95 in 100 each, fewer than 33 within the error happens once in 5000 times."""
    rng, within = random.Random(0), 0
    for _ in range(40):
        pool = [f"{rng.random()}" for _ in range(4500)]
        first, _ = shares(pool[:3000], pool[1500:])
        within += abs(first.value - 0.5) <= first.error

    assert within >= 33


def test_the_same_texts_are_found_however_they_are_written() -> None:
    bytes_, pieces = ["Ġthe", "Ġof", "ing", "Ċ", "ÃŃ"], ["▁the", "▁of", "ing", "<0x0A>", "í"]

    assert shares(bytes_, pieces) == (Share(1.0), Share(1.0))
    assert shares(["##ing", "##s", "the"], ["▁the", "▁a", "ing"])[0].value == pytest.approx(2 / 3)


def test_equal_only_when_every_token_has_the_same_number() -> None:
    same, other = (tokenizer_fingerprint(Words(words)) for words in (["x", "y"], ["y", "x"]))

    assert same == tokenizer_fingerprint(Words(["x", "y"]))
    assert same["digest"] != other["digest"]
    assert overlap(same, other) == (Share(1.0), Share(1.0))


def test_a_fingerprint_is_small_plain_and_complete() -> None:
    print_ = tokenizer_fingerprint(Words(numbered(0, 30000)))

    assert json.loads(json.dumps(print_)) == print_
    assert print_["size"] == 30000
    assert len(print_["sketch"]) == KEPT * 12


def test_words_that_are_no_text_do_no_harm() -> None:
    odd = ["", "\ud800", "\x00", "<0xZZ>", "Ġ日本", "🚗", "Ġ"]

    assert shares(odd, odd) == (Share(1.0), Share(1.0))


@pytest.mark.parametrize(
    ("share", "said"),
    [
        (Share(0.37, 0.042), "about 37 % (± 4)"),
        (Share(0.0, 0.06), "at most 6 %"),
        (Share(0.9, 0.001), "about 90 % (± 1)"),
    ],
)
def test_shares_in_words(share: Share, said: str) -> None:
    assert str(share) == said
