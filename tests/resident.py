"""What a script measures of its own memory, in a process of its own."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
GIVEN_BACK = {"MALLOC_MMAP_THRESHOLD_": "65536"}  # what is freed goes back at once, not into malloc's own store

needs_proc = pytest.mark.skipif(not Path("/proc/self/statm").exists(), reason="resident memory is read from /proc")


def measured(script: str, *arguments: object) -> dict[str, int]:
    """The numbers that it prints last, as JSON."""
    environment = {**os.environ, **GIVEN_BACK, "OMP_NUM_THREADS": "1", "HF_HUB_OFFLINE": "1"}
    done = subprocess.run(
        [sys.executable, "-c", script, *map(str, arguments)],
        cwd=ROOT, env=environment, capture_output=True, text=True, timeout=900, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    numbers: dict[str, int] = json.loads(done.stdout.splitlines()[-1])
    return numbers
