"""What a scan takes does not grow with the prompts, measured in a process of its own beside what keeping takes."""

from __future__ import annotations

import pytest

from tests.resident import measured, needs_proc

SCRIPT = """
import json, sys
import torch
from garage_nb.garage import Garage
from tests.families import tiny

torch.set_num_threads(1)
count, layers, warm = int(sys.argv[1]), sys.argv[2] or None, int(sys.argv[3])
garage = Garage(tiny("gpt2", layers=12, n_embd=256, n_head=8, vocab_size=512))
generator = torch.Generator().manual_seed(0)
lengths = torch.randint(8, 65, (count,), generator=generator).tolist()
texts = [torch.randint(3, 512, (length,), generator=generator).tolist() for length in lengths]

def batch(texts):
    longest = max(map(len, texts))
    ids = [text + [0] * (longest - len(text)) for text in texts]
    return {"input_ids": ids, "attention_mask": [[1] * len(text) + [0] * (longest - len(text)) for text in texts]}

def resident():
    with open("/proc/self/statm") as pages:
        return int(pages.read().split()[1]) * 4096

garage.scan(batch(texts[:warm]), layers=layers)
before = resident()
found = garage.scan(batch(texts), layers=layers)
scanned = resident()
kept = [garage.capture([text], layers="layer_*", keep=True) for text in 2 * texts[:60]]
print(json.dumps({
    "tokens": next(iter(found.subjects.values())).tokens, "grown": scanned - before,
    "kept": resident() - scanned, "estimate": sum(one.kept for one in kept), "places": len(found.parts),
}))
"""


pytestmark = needs_proc


def test_what_a_scan_takes_does_not_grow_with_the_prompts() -> None:
    """Their states would take 25 MB. Keeping them twice over is seen, so the measure can see."""
    found = measured(SCRIPT, 60, "layer_*", 15)
    states = found["tokens"] * found["places"] * 256 * 4

    assert states > 25e6
    assert found["grown"] < states / 2
    assert found["estimate"] > 50e6
    assert found["kept"] > 0.5 * found["estimate"]  # some of it lies where other things lay before


@pytest.mark.slow
def test_two_thousand_prompts_take_less_than_fifty_megabytes() -> None:
    """All places of twelve layers; their states would take 6 GB."""
    found = measured(SCRIPT, 2000, "", 50)

    assert found["tokens"] * found["places"] * 256 * 4 > 3.5e9
    assert found["grown"] < 50e6
