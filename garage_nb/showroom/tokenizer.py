"""The showroom's tokenizer: every word of the language is one token, and any other text falls to its bytes.

A byte-level BPE without merges: with `ignore_merges` a piece that is in the vocabulary is taken whole, and every
other piece is spelt by the 256 byte symbols, so that decoding gives back exactly what was typed.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import cache
from hashlib import blake2b
from typing import TYPE_CHECKING, Any

from .corpus import LEVELS, items
from .domains import DOMAINS
from .domains.countries import COUNTRIES

if TYPE_CHECKING:
    from tokenizers import Tokenizer

PAD, BOS, EOS = "<|pad|>", "<|bos|>", "<|eos|>"
NEWLINE = "\u010a"  # as byte-level vocabularies spell it
# A word, one digit or one other sign, each with the space before it; then what white space is left.
PIECE = r" ?\p{L}+| ?\p{N}| ?[^\s\p{L}\p{N}]|\s"
_WORD = re.compile(r"[A-Za-z]+|[0-9]|[^\sA-Za-z0-9]")
_ITEMS_READ = 3000  # per domain and level: more than enough to meet every word


@cache
def words() -> tuple[str, ...]:
    """Every word and sign of the language, sorted."""
    kinds = [(domain, level) for domain in DOMAINS for level in LEVELS]
    texts = [item.text for domain, level in kinds for item in items(domain, "train", _ITEMS_READ, level=level)]
    texts += [f"{country.name} {country.capital} {country.continent}" for country in COUNTRIES]
    return tuple(sorted({word for text in texts for word in _WORD.findall(text)}))


def build() -> Tokenizer:
    from tokenizers import Regex, Tokenizer, decoders, models, pre_tokenizers, processors

    bpe = models.BPE(vocab=_vocabulary(), merges=[], ignore_merges=True, unk_token=None)
    tokenizer = Tokenizer(bpe)
    tokenizer.add_special_tokens([PAD, BOS, EOS])
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence(
        [
            pre_tokenizers.Split(Regex(PIECE), behavior="isolated"),
            pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False),
        ]
    )
    tokenizer.decoder = decoders.ByteLevel()
    tokenizer.post_processor = processors.TemplateProcessing(
        single=f"{BOS} $A",
        pair=f"{BOS} $A $B",
        special_tokens=[(BOS, tokenizer.token_to_id(BOS))],
    )
    return tokenizer


def for_transformers() -> Any:
    """As the model directories carry it. What a user types is text: a typed "<|eos|>" is spelt, never obeyed."""
    from transformers import PreTrainedTokenizerFast

    fast: Any = PreTrainedTokenizerFast  # untyped in transformers
    return fast(
        tokenizer_object=build(),
        bos_token=BOS,
        eos_token=EOS,
        pad_token=PAD,
        padding_side="right",
        clean_up_tokenization_spaces=False,
        split_special_tokens=True,
        model_max_length=128,
        model_input_names=["input_ids", "attention_mask"],
    )


def tokenizer_hash() -> str:
    return blake2b(build().to_str().encode(), digest_size=8).hexdigest()


def _vocabulary() -> dict[str, int]:
    """Special tokens, then the 256 bytes, then each word alone and with a space before it, in byte symbols."""
    symbols = _byte_symbols()
    spelt = ("".join(symbols[byte] for byte in text.encode()) for text in _spaced(words()))
    return {token: place for place, token in enumerate(dict.fromkeys([PAD, BOS, EOS, *symbols, *spelt]))}


def _spaced(plain: tuple[str, ...]) -> Iterator[str]:
    for word in plain:
        yield word
        yield " " + word


def _byte_symbols() -> list[str]:
    """The printable character that stands for each byte in byte-level vocabularies, in order of the bytes."""
    plain = [*range(0x21, 0x7F), *range(0xA1, 0xAD), *range(0xAE, 0x100)]
    others = [byte for byte in range(256) if byte not in plain]
    return [chr(byte) if byte in plain else chr(256 + others.index(byte)) for byte in range(256)]
