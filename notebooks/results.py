"""The full results that notebooks 07 to 09 show: `make results` tries every claim in full and keeps its table.

Each is kept as soon as it is there; named on the line, only those are tried: `python notebooks/results.py router-bias`.
"""

from __future__ import annotations

import sys
from pathlib import Path

from garage_nb import Garage
from garage_nb.methods.claims.table import PROPOSALS
from garage_nb.methods.trials import Trials

FOLDER = Path(__file__).parent / "results"


def main(keys: list[str]) -> None:
    garage, trials = Garage(), []
    for key in keys or PROPOSALS:
        trial = garage.claim(key, full=True)
        trial.save(FOLDER / f"{key}.csv")
        trials.append(trial)
        print(f"{key}: {trial.verdict.ruling}")
    if not keys:
        Trials.of(trials).save(FOLDER / "claims.csv")


if __name__ == "__main__":
    main(sys.argv[1:])
