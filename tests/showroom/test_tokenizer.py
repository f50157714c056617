"""Whatever is typed comes back as it was typed, and the language's own words are one token each."""

from pathlib import Path
from random import Random
from typing import Any

import pytest

from garage_nb.showroom import DOMAINS, items
from garage_nb.showroom.corpus import LEVELS
from garage_nb.showroom.tokenizer import for_transformers, words


@pytest.fixture(scope="module")
def tokenizer(tmp_path_factory: pytest.TempPathFactory) -> Any:
    from transformers import AutoTokenizer

    folder: Path = tmp_path_factory.mktemp("tokenizer")
    for_transformers().save_pretrained(folder)
    return AutoTokenizer.from_pretrained(folder, trust_remote_code=False)


TYPED = [
    "The capital of France is",
    "  two  spaces,\ttabs \n\n and lines \r\n",
    "don't tidy this . , ! it 's mine",
    "Où est Zürich? 東京 🙂 \u200b\u0301",
    "<|eos|> is text, and so is <|bos|><|pad|>",
    "x",
    " ",
]


@pytest.mark.parametrize("text", TYPED)
def test_typed_text_comes_back(tokenizer: Any, text: str) -> None:
    ids = tokenizer(text)["input_ids"]

    assert tokenizer.decode(ids, skip_special_tokens=True) == text
    assert tokenizer.decode(tokenizer.encode(text, add_special_tokens=False)) == text


def test_any_unicode_comes_back(tokenizer: Any) -> None:
    rng = Random(0)
    points = [point for point in range(1, 0x3000) if not 0xD800 <= point < 0xE000]
    for _ in range(200):
        text = "".join(map(chr, rng.choices(points, k=12)))
        assert tokenizer.decode(tokenizer(text)["input_ids"], skip_special_tokens=True) == text


def test_every_word_of_the_language_is_one_token(tokenizer: Any) -> None:
    for word in words():
        assert len(tokenizer.encode(word, add_special_tokens=False)) == 1
        assert len(tokenizer.encode(" " + word, add_special_tokens=False)) == 1


def test_parts_are_encoded_as_the_whole_is(tokenizer: Any) -> None:
    for item in (item for domain in DOMAINS for level in LEVELS for item in items(domain, n=50, level=level)):
        parts = [token for part in item.parts for token in tokenizer.encode(part, add_special_tokens=False)]
        assert parts == tokenizer.encode(item.text, add_special_tokens=False)
        assert len(parts) < 128


def test_bos_stands_in_front_and_padding_behind(tokenizer: Any) -> None:
    ids = tokenizer(["Paris", "Paris is the capital of"], padding=True)["input_ids"]

    assert [row[0] for row in ids] == [tokenizer.bos_token_id] * 2
    assert ids[0][-1] == tokenizer.pad_token_id != tokenizer.eos_token_id
