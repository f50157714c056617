"""`python -m tests.coverage [task …]`: builds, opens and checks every class, prints the matrix and writes it down."""

from __future__ import annotations

import json
import sys
import warnings
from collections import Counter
from pathlib import Path

from tqdm.auto import tqdm

from .checks import CHECKS
from .matrix import Row, row
from .zoo import MAPPINGS, entries

DOCS = Path(__file__).parents[2] / "docs"
FILE = DOCS / "coverage"


def main(tasks: list[str]) -> None:
    import transformers

    transformers.logging.set_verbosity_error()
    warnings.filterwarnings("ignore")
    wanted = [entry for task in tasks or MAPPINGS for entry in entries(task)]
    rows = [row(entry) for entry in tqdm(wanted, mininterval=1)]
    print(table(rows))
    if not tasks:
        FILE.with_suffix(".json").write_text(json.dumps([one.to_json() for one in rows], indent=1) + "\n")
        FILE.with_suffix(".md").write_text(page(rows, transformers.__version__))


def page(rows: list[Row], version: str) -> str:
    return f"""# What opens

Every class that transformers {version} maps to causal, masked or sequence-to-sequence language modelling, as a tiny
random model. `python -m tests.coverage` makes this page and `coverage.json` again.

{summary(rows)}

What each check asks. **readers**: logits are bit-equal with nothing in force and with every part read. **residual**:
what enters a block plus what its halves add, read through the catalogue, is what leaves it. **layer edits**, **half
edits**: an edit by 1 leaves the logits bit-equal, another changes them, at every layer and every half. **hidden
states**: captures are bit-equal to what transformers records. **heads**, **neurons**, **experts**: together they are
the whole, and an edit of one takes effect. **q, k, v**: reading them and the pattern leaves the logits bit-equal, a row
of the pattern sums to 1 (less where there are sinks), and an edit of each takes effect. **mid**: what enters a block
plus its first halves is the stream between them, that plus the last is what leaves it, and an edit there takes effect.

{table(rows)}
"""


def summary(rows: list[Row]) -> str:
    lines = []
    for task in MAPPINGS:
        counted = Counter(one.state for one in rows if one.task == task)
        built = sum(counted.values()) - counted["not built"]
        rest = ", ".join(f"{counted[state]} {state}" for state in ("refused", "wrong", "not built") if counted[state])
        lines.append(
            f"- {task}: {counted['ok']} of {built} open and pass every check that applies; {rest or 'no other'}"
        )
    return "\n".join(lines)


def table(rows: list[Row]) -> str:
    heads = ["class", *CHECKS]
    lines = [f"| {' | '.join(heads)} |", f"|{' --- |' * len(heads)}"]
    for one in rows:
        name = f"{one.class_name} ({one.task}, {one.model_type})"
        everywhere = one.checks.get("all", "")
        said = [one.checks.get(check, everywhere) for check in CHECKS]
        if one.state in ("refused", "not built"):
            said[0] = f"{one.state}: {one.reason}"
        lines.append(f"| {name} | {' | '.join(words.replace('|', '/') for words in said)} |")
    return "\n".join(lines)


if __name__ == "__main__":
    main(sys.argv[1:])
