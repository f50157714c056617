"""A process that ends while a thread of ours runs a model ends well, and soon."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
START = """
import threading, torch
from garage_nb import Garage
from tests.families import tiny
from garage_nb.core.asked import Asked
words = Garage("showroom").tokenizer
size = {"n_embd": 256, "n_head": 8, "n_positions": 4096, "vocab_size": len(words), "eos_token_id": None}
garage = Garage(tiny("gpt2", 12, **size), tokenizer=words)
"""
ASKED = """
begun = threading.Event()
def work():
    for piece in garage.stream("The capital", tokens=4000):
        begun.set()
        yield piece
Asked(lambda piece: None, lambda error: None, threading.RLock()).ask(work)
begun.wait()
"""
STREAM = "pieces = garage.stream('The capital', tokens=4000)\nnext(pieces)\n"


@pytest.mark.parametrize("under_way", [ASKED, STREAM], ids=["asked", "stream"])
def test_it_ends_with_no_abort(under_way: str) -> None:
    code = f"{START}{under_way}print('the end')"

    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, timeout=120)

    assert (done.returncode, done.stdout.strip()) == (0, "the end"), done.stderr
    assert "terminate" not in done.stderr
