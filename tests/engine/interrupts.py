"""`python -m tests.engine.interrupts 200 0`: so many real signals at random instants of the tour, drawn by a seed.

SIGALRM raises what Ctrl-C raises, in the middle of whatever runs. Each is aimed inside one stop of the tour, whose
length was measured. The traceback is kept until the next one, as IPython keeps it.
"""

from __future__ import annotations

import collections
import gc
import random
import signal
import sys
import time
from collections.abc import Callable
from typing import Any

from .tour import Tour


def main(count: int, seed: int) -> None:
    drawn, tour = random.Random(seed), Tour()
    seconds = {name: _measured(stop) for name, stop in tour.stops.items()}
    came: collections.Counter[str] = collections.Counter()
    bad: list[str] = []
    while sum(came.values()) < count:
        name = drawn.choice(list(tour.stops))
        error = _interrupted(tour.stops[name], drawn.uniform(1e-5, 1.05 * seconds[name]))
        came[name] += error is not None
        found = tour.differences()
        if found and error is not None:
            bad.append(f"{name}: {', '.join(found)}, cut at {_where(error)}")
        sys.last_value = error
    print(f"interrupted {sum(came.values())} {dict(came)}")
    print("\n".join(bad) or "all as before")
    sys.exit(bool(bad))


def _measured(stop: Callable[[], Any]) -> float:
    times = []
    for _ in range(5):
        begun = time.perf_counter()
        stop()
        times.append(time.perf_counter() - begun)
    return sorted(times)[2]


def _interrupted(stop: Callable[[], Any], after: float) -> BaseException | None:
    """None when the stop was over sooner."""
    try:
        try:
            signal.setitimer(signal.ITIMER_REAL, after)
            stop()
        finally:
            signal.setitimer(signal.ITIMER_REAL, 0)
    except KeyboardInterrupt as error:
        return error
    return None


def _where(error: BaseException) -> str:
    trace, places = error.__traceback__, []
    while trace is not None:
        places.append(f"{trace.tb_frame.f_code.co_filename.rpartition('/')[2]}:{trace.tb_lineno}")
        trace = trace.tb_next
    return " > ".join(places)


if __name__ == "__main__":
    signal.signal(signal.SIGALRM, signal.default_int_handler)
    gc.freeze()
    main(int(sys.argv[1]), int(sys.argv[2]))
