"""Training rows: BOS, then items of one domain one after the other, cut to a fixed length.

A batch is a pure function of (seed, step), so a resumed run sees what an uninterrupted one would have seen.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from itertools import islice
from random import Random

import numpy as np
from numpy.typing import NDArray
from tokenizers import Tokenizer

from . import corpus
from .recipes import Shares
from .tokenizer import BOS, EOS, NEWLINE

STEPS_PER_POOL = 500
ITEMS_PER_POOL = 3000
LENGTHS, LENGTH_WEIGHTS = (64, 128), (3, 1)
END_OF_TEXT_SHARE = 0.6  # of the items end the text, the others a line: generation stops after one, few-shot works
GIVEN_WEIGHT = 0.05  # loss weight of tokens that nothing determines
GIVEN_SHARE = 0.2  # of those tokens enter the loss, with the weight made up for: the head is then far cheaper


@dataclass(frozen=True, kw_only=True)
class Batch:
    """`weights[i, j]` is the loss weight of predicting `ids[i, j]`; answers weigh 1."""

    ids: NDArray[np.int64]  # (batch, seq)
    weights: NDArray[np.float32]  # (batch, seq)
    answers: NDArray[np.bool_]  # (batch, seq)


@dataclass(frozen=True, kw_only=True)
class Pool:
    ids: NDArray[np.int64]
    answers: NDArray[np.bool_]
    starts: NDArray[np.int64]  # where an item begins, far enough from the end for a whole row


def batch(tokenizer: Tokenizer, shares: Shares, *, tokens: int, seed: int, step: int) -> Batch:
    """`tokens` ids in rows of 64 or 128, their sources drawn by `shares`."""
    rng = Random(f"rows/{seed}/{step}")
    length = rng.choices(LENGTHS, LENGTH_WEIGHTS)[0]
    sources = rng.choices(shares, [share.weight for share in shares], k=tokens // length)
    epoch = step // STEPS_PER_POOL
    rows = [_row(_pool(tokenizer, of.domain, of.level, seed, epoch), rng, length - 1) for of in sources]
    ids = np.full((len(rows), length), tokenizer.token_to_id(BOS), dtype=np.int64)
    answers = np.zeros((len(rows), length), dtype=np.bool_)
    for place, (row_ids, row_answers) in enumerate(rows):
        ids[place, 1:] = row_ids
        answers[place, 1:] = row_answers
    kept = np.random.default_rng(rng.getrandbits(64)).random(ids.shape) < GIVEN_SHARE
    weights = np.where(answers, 1.0, kept * (GIVEN_WEIGHT / GIVEN_SHARE)).astype(np.float32)
    weights[:, 0] = 0
    return Batch(ids=ids, weights=weights, answers=answers)


def _row(pool: Pool, rng: Random, length: int) -> tuple[NDArray[np.int64], NDArray[np.bool_]]:
    start = pool.starts[rng.randrange(len(pool.starts))]
    return pool.ids[start : start + length], pool.answers[start : start + length]


@lru_cache(maxsize=16)
def _pool(tokenizer: Tokenizer, domain: str, level: str, seed: int, epoch: int) -> Pool:
    stream = corpus.stream(domain, split="train", level=level, seed=f"{seed}/{epoch}")
    drawn = list(islice(stream, ITEMS_PER_POOL))
    rng = Random(f"ends/{domain}/{seed}/{epoch}")
    eos, newline = map(tokenizer.get_vocab().__getitem__, (EOS, NEWLINE))
    encoded = iter(tokenizer.encode_batch([part for item in drawn for part in item.parts], add_special_tokens=False))
    ids: list[int] = []
    answers: list[bool] = []
    starts: list[int] = []
    for item in drawn:
        starts.append(len(ids))
        for place in range(len(item.parts)):
            part = next(encoded).ids
            ids += part
            answers += [place % 2 == 1] * len(part)
        ids.append(eos if rng.random() < END_OF_TEXT_SHARE else newline)
        answers.append(False)
    fitting = [start for start in starts if start + max(LENGTHS) <= len(ids)]
    return Pool(ids=np.array(ids), answers=np.array(answers), starts=np.array(fitting))
