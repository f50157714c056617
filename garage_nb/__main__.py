"""The `garage` command line: the same verbs, each on a model named after it.

`garage analyze showroom --prompt "…"` is `Garage("showroom").capture("…")`, printed.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from io import TextIOWrapper

from .errors import GarageError, InputError


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command. Answers go to standard output, errors in two lines to standard error with exit code 1."""
    words = list(sys.argv[1:] if arguments is None else arguments)
    if isinstance(sys.stdout, TextIOWrapper):
        sys.stdout.reconfigure(errors="replace")  # a bar is no reason to fail on a terminal without Unicode
    try:
        print(run(words), flush=True)
    except GarageError as error:
        print(f"{type(error).__name__}: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        return 130
    except BrokenPipeError:  # `| head` has read enough; Python would complain once more at exit
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    return 0


def run(words: list[str]) -> object:
    from .garage import Garage
    from .verbs import HELP, call, find, verbs_of

    if not words or words[0] in ("help", *HELP):
        return call(Garage(), ["help", *words[1:]])
    entry = find(verbs_of(Garage), words[0])
    if entry.session:
        raise InputError(f"{entry.name} changes a session, and a command has none.", "Use it in a notebook: %garage …")
    if not entry.model or set(HELP) & set(words):
        return call(Garage(), words)
    if len(words) < 2 or words[1].startswith("-"):
        raise InputError(f"{entry.name} needs a model.", f"Write: garage {entry.name} showroom …")
    return call(Garage(words[1]), [words[0], *words[2:]])


if __name__ == "__main__":
    sys.exit(main())
