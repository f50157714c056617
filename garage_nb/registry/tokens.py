"""Tokenizers as a few kilobytes: enough to say whether two are one, and how many tokens they share.

The sketch holds the smallest of the hashes of all token texts. The smallest hashes of two vocabularies together are a
fair sample of both, so the share of them that stands in both sketches estimates the share of tokens in both.
"""

from __future__ import annotations

import hashlib
import heapq
import math
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cache
from typing import Any

KEPT = 512
_DIGITS = 12  # of a hash, in hexadecimal: two of 250,000 tokens collide once in ten thousand vocabularies
_BYTE = re.compile(r"<0x([0-9A-F]{2})>")


@dataclass(frozen=True)
class Share:
    """0 to 1, right within `error` 95 times in 100; exact where that is 0."""

    value: float
    error: float = 0.0

    def __str__(self) -> str:
        if not self.error:
            return f"{self.value * 100:.0f} %"
        if not self.value:
            return f"at most {self.error * 100:.0f} %"
        return f"about {self.value * 100:.0f} % (± {max(1, self.error * 100):.0f})"


def tokenizer_fingerprint(tokenizer: Any) -> dict[str, Any]:
    """`digest` is equal for tokenizers that number the same tokens alike; `size` counts texts, `sketch` samples them.

    A text counts once however it is written: "Ġthe", "▁the" and WordPiece's "the" are all " the".
    """
    numbered = sorted(tokenizer.get_vocab().items(), key=lambda item: item[1])
    listed = "\x00".join(f"{number}\x01{word}" for word, number in numbered)
    hashes = {_hash(text) for text in _texts([word for word, _ in numbered])}
    smallest = heapq.nsmallest(KEPT, hashes)
    digest = hashlib.sha256(listed.encode("utf-8", "surrogatepass")).hexdigest()[:16]
    return {"digest": digest, "size": len(hashes), "sketch": "".join(smallest)}


def overlap(a: Mapping[str, Any], b: Mapping[str, Any]) -> tuple[Share, Share]:
    """The shares of either vocabulary that the other has too.

    Exact for one vocabulary, and for two that both fit their sketches whole.
    """
    if a["digest"] == b["digest"]:
        return Share(1.0), Share(1.0)
    mine, theirs = _hashes(a), _hashes(b)
    cut = [max(known) for known, of in ((mine, a), (theirs, b)) if len(known) < of["size"]]
    sample = {item for item in mine | theirs if not cut or item <= min(cut)}
    share = len(sample & mine & theirs) / len(sample) if sample else 0.0
    error = _error(share, len(sample)) if cut else 0.0
    in_all = a["size"] + b["size"]
    common, off = share / (1 + share) * in_all, error / (1 + share) ** 2 * in_all
    first, second = (Share(min(1.0, common / of["size"]), min(1.0, off / of["size"])) for of in (a, b))
    return first, second


def _error(share: float, sample: int) -> float:
    """Two standard deviations of a share seen in a sample; where all or none was seen, three in the sample."""
    if share in (0.0, 1.0):
        return 3 / max(1, sample)
    return 1.96 * math.sqrt(share * (1 - share) / sample)


def _hashes(fingerprint: Mapping[str, Any]) -> set[str]:
    sketch: str = fingerprint["sketch"]
    return {sketch[at : at + _DIGITS] for at in range(0, len(sketch), _DIGITS)}


def _hash(text: bytes) -> str:
    return hashlib.blake2b(text, digest_size=_DIGITS // 2).hexdigest()


def _texts(words: list[str]) -> Iterable[bytes]:
    """What each token stands for, by the mark that most words carry: Ġ and ▁ for a space before, ## for none."""
    spell = {"Ġ": _of_bytes, "▁": _of_pieces, "##": _of_word_pieces}
    counts = {mark: sum(word.startswith(mark) for word in words) for mark in spell}
    mark = max(counts, key=lambda mark: counts[mark])
    return map(spell[mark] if counts[mark] else _encoded, words)


def _encoded(word: str) -> bytes:
    return word.encode("utf-8", "surrogatepass")


def _of_bytes(word: str) -> bytes:
    try:
        return word.translate(_bytes_of()).encode("latin-1")
    except UnicodeEncodeError:  # a word added later, as it is read
        return _encoded(word)


def _of_pieces(word: str) -> bytes:
    byte = _BYTE.fullmatch(word)
    return bytes([int(byte[1], 16)]) if byte else _encoded(word.replace("▁", " "))


def _of_word_pieces(word: str) -> bytes:
    return _encoded(word[2:] if word.startswith("##") else f" {word}")


@cache
def _bytes_of() -> dict[int, int]:
    """Byte-level tokenizers write a printable byte as itself, and the rest as letters from Ā on, in order."""
    printable = {*range(0x21, 0x7F), *range(0xA1, 0xAD), *range(0xAE, 0x100)}
    rest = (byte for byte in range(256) if byte not in printable)
    return {256 + at: byte for at, byte in enumerate(rest)}
