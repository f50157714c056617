"""What a survey takes does not grow with its texts, measured in a process of its own."""

from __future__ import annotations

import pytest

from tests.resident import measured, needs_proc

SCRIPT = """
import json, sys, tempfile
from functools import reduce
import torch
from garage_nb.fleet.corpus.text import Text
from garage_nb.fleet.cutting import chunks_of
from garage_nb.fleet.driving.driver import drive
from garage_nb.fleet.driving.ledger import Ledger
from garage_nb.fleet.engines.here import Here
from garage_nb.fleet.readings.firing import Firing
from garage_nb.fleet.readings.plan import Plan
from garage_nb.fleet.readings.record import from_bytes, merged
from garage_nb.fleet.readings.statistics import Statistics
from garage_nb.fleet.reference import Reference, at_hand
from garage_nb.fleet.worker import ChunkTask
from garage_nb.registry.lift import lift
from tests.families import tiny

torch.set_num_threads(1)
warm, count = int(sys.argv[1]), int(sys.argv[2])
lifted = lift(tiny("gpt2", layers=4, n_embd=128, vocab_size=512))
layers = tuple(lifted.spec.usable("layer_*"))
plan = Plan((Statistics(layers, ("sparsity", "norm")), Firing(("ffn_1.neurons",))))
reference = Reference.of(lifted)

def texts(count, seed):
    generator = torch.Generator().manual_seed(seed)
    for row in range(count):
        length = int(torch.randint(4, 25, (1,), generator=generator))
        yield Text(f"line {row}", tuple(torch.randint(3, 512, (length,), generator=generator).tolist()))

def survey(count, seed):
    tasks = (ChunkTask(reference, plan, chunk) for chunk in chunks_of(texts(count, seed)))
    with tempfile.TemporaryDirectory() as folder, Here() as crew, at_hand(reference, lifted):
        settled = drive(tasks, crew, Ledger(folder))
        return reduce(merged, (from_bytes(one.data) for one in settled))

def resident():
    with open("/proc/self/statm") as pages:
        return int(pages.read().split()[1]) * 4096

survey(warm, 1)
before = resident()
found = survey(count, 0)
grown = resident() - before
kept = [torch.ones(int(found["tokens"].counts), 128) for _ in layers]
print(json.dumps({
    "texts": int(found["texts"].counts), "tokens": int(found["tokens"].counts), "grown": grown,
    "kept": resident() - before - grown,
}))
"""


pytestmark = needs_proc


def test_what_a_survey_takes_does_not_grow_with_its_texts() -> None:
    """What they hold at four layers takes twice as much, and is seen where it is kept."""
    found = measured(SCRIPT, 100, 1000)

    states = found["tokens"] * 4 * 128 * 4
    assert found["texts"] == 1000
    assert found["kept"] > 0.9 * states
    assert found["grown"] < 0.5 * states


@pytest.mark.slow
def test_ten_thousand_texts_take_less_than_fifty_megabytes_more_than_a_hundred() -> None:
    found = measured(SCRIPT, 100, 10_000)

    assert found["texts"] == 10_000
    assert found["kept"] > 250e6
    assert found["grown"] < 50e6
