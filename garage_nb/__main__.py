"""The `garage` command line: the same verbs, each on a model named after it.

`garage analyze showroom --prompt "…"` is `Garage("showroom").capture("…")`, printed. Exit codes: 0 done, 1 refused with
a GarageError, 2 words that cannot be understood, 130 interrupted.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Sequence
from io import TextIOWrapper
from pathlib import Path

from .errors import CancelledError, GarageError, InputError
from .verbs import HELP


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command. Answers go to standard output, errors in two lines to standard error."""
    words = list(sys.argv[1:] if arguments is None else arguments)
    if isinstance(sys.stdout, TextIOWrapper):
        sys.stdout.reconfigure(errors="replace")  # a bar is no reason to fail on a terminal without Unicode
    try:
        return _answered(words)
    except CancelledError as error:
        return _refused(error, 130)
    except GarageError as error:
        return _refused(error, 1)
    except KeyboardInterrupt:
        return 130
    except BrokenPipeError:  # `| head` has read enough; Python would complain once more at exit
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    return 0


def _answered(words: list[str]) -> int:
    if words == ["demo"]:
        from .command.demo import demo

        return demo(Path.cwd())
    try:
        answer = _understood(words)
    except InputError as error:
        return _refused(error, 2)
    print(answer(), flush=True)
    return 0


def _understood(words: list[str]) -> Callable[[], str]:
    """What is to be printed, not yet worked out. InputError where the words say nothing."""
    from .command.line import read_line
    from .command.manual import manual
    from .command.output import written
    from .doctor.packages import OURS, version

    if words == ["--version"]:
        return lambda: f"{OURS} {version(OURS) or 'not installed, run from a folder'}"
    if not words or words[0] == "help" or set(HELP) & set(words):
        page = manual(*[word for word in words if word not in ("help", *HELP)][:1])
        return lambda: page
    if words[0] == "demo":
        raise InputError("demo takes no further words.", "Write: garage demo")
    line = read_line(words)
    return lambda: written(line.run(), line.format)


def _refused(error: GarageError, code: int) -> int:
    print(f"{type(error).__name__}: {error}", file=sys.stderr)
    return code


if __name__ == "__main__":
    sys.exit(main())
