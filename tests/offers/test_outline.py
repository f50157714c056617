"""The table of verbs, read off the source: the one that importing Garage gives, without the wait."""

from __future__ import annotations

import subprocess
import sys

from garage_nb.garage import Garage
from garage_nb.offers import outlined
from garage_nb.verbs import verbs_of


def test_it_is_the_table_of_the_real_garage() -> None:
    real = verbs_of(Garage)

    assert outlined() == real
    assert list(outlined()) == list(real)


def test_reading_it_imports_nothing_slow() -> None:
    script = "import sys; from garage_nb.offers import outlined; print(len(outlined()), 'torch' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, timeout=120)

    assert done.stdout.split() == [str(len(verbs_of(Garage))), "False"], done.stderr
