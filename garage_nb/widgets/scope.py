"""SparsityScope: parts by tokens as a live picture while the model reads and writes."""

from __future__ import annotations

from collections.abc import Generator
from dataclasses import replace
from time import monotonic
from typing import Any

import numpy as np
import traitlets

from ..answers.generation import writes
from ..answers.recording import Recording
from ..core.stats import demand_threshold
from ..core.tokenwise import TOKENWISE, edges_with
from ..errors import CancelledError, InputError
from ..garage import Garage, Layers
from ..plain import one_line
from ..snapshot.trace import Trace, counted, offered
from ..view.palette import CHANGES
from ..view.scale import Scale
from .admission import command
from .assets import script, sheet
from .heatmap import Heatmap, scale_for
from .live import Answer
from .reading import Reading
from .traits import Count

APART = 0.05  # seconds between two pictures
FORMS = {"csv": "text/csv", "svg": "image/svg+xml"}


class Statistic(traitlets.TraitType):  # type: ignore[type-arg]  # traitlets before 5.10 takes none
    """What a token by itself has."""

    default_value = "sparsity"

    def validate(self, obj: Any, value: object) -> str:
        return offered(str(value)[:60])


class Threshold(traitlets.TraitType):  # type: ignore[type-arg]
    """One of the edges that entries are counted at."""

    default_value = 0.1

    def validate(self, obj: Any, value: object) -> float:
        if isinstance(value, bool) or not isinstance(value, int | float):
            raise InputError(f"{str(value)[:40]!r} is no threshold.", "Give a number, such as 0.1.")
        edges: tuple[float, ...] = obj.edges
        return edges[counted(edges, float(value))]


class SparsityScope(Reading):
    """`SparsityScope(garage, "Once upon a time", tokens=60)`. `.trace` holds every number, `.value` those shown,
    (parts, tokens). `statistic` and `tau` can be set at any time: nothing runs again.
    """

    _esm = script("tokens.js", "heat.js", "scope.js")
    _css = sheet("tokens.css", "scope.css")
    statistic = Statistic().tag(sync=True, front=True)
    tau = Threshold().tag(sync=True, front=True)
    tokens = Count(20, least=0, most=4096).tag(sync=True, front=True)
    _statistics = traitlets.List(list(TOKENWISE)).tag(sync=True)
    _edges: traitlets.List[float] = traitlets.List().tag(sync=True)
    _left = traitlets.Bool(False).tag(sync=True)
    _shown: traitlets.Dict[str, Any] = traitlets.Dict().tag(sync=True)
    _values = traitlets.Bytes().tag(sync=True)
    _finished = False

    def __init__(
        self,
        garage: Garage,
        prompt: str = "",
        *,
        parts: Layers = "all",
        statistic: str = "sparsity",
        tau: float | None = None,
        tokens: int | None = None,
        **options: Any,
    ) -> None:
        self._given = garage.settings.tau if tau is None else tau
        demand_threshold(self._given)
        self.edges, self._parts = edges_with([self._given]), garage.spec.usable(parts)
        self._recording: Recording | None = None
        usual = garage.settings.tokens if writes(garage.lifted) else 0
        chosen = {"statistic": statistic, "tau": self._given, "tokens": usual if tokens is None else tokens}
        super().__init__(garage, prompt, options=options, _edges=list(self.edges), **chosen)

    @property
    def trace(self) -> Trace | None:
        """Every number there is by now, showing what the panel shows; None before the first answer."""
        now = None if self._recording is None else self._recording.trace
        return replace(now, statistic=self.statistic, tau=self.tau) if now is not None and now.tokens else None

    @property
    def value(self) -> np.ndarray:
        """(parts, tokens), as shown; nothing of either before the first answer."""
        return np.empty((0, 0)) if self.trace is None else self.trace.values()

    def pieces(self, garage: Garage, *, following: bool) -> Generator[Answer, None, None]:
        """The prompt at once, then token by token."""
        self._recording = Recording(
            garage.lifted,
            self.prompt,
            garage.edits,
            self._parts,
            statistic=self.statistic,
            taus=[self.tau, self._given],
        )
        yield from self._on(self._recording)

    def shown(self) -> Heatmap | None:
        return None if self.trace is None else Heatmap(self.trace)

    @command
    def resume(self) -> None:
        """Go on from where a run was stopped, or to more tokens than before. `stop()` is the pause."""
        recording = self._recording
        if recording is None or not self._left:
            raise InputError("There is nothing to go on with.", "Start a text, and stop it before it ends.")
        self.ask(lambda: self._on(recording))

    @command
    def finish(self) -> None:
        """Stop for good: what is there stays, and is not gone on with."""
        self.stop()
        self.set_trait("_left", False)
        self._finished = True

    @command
    def save(self, form: str) -> None:
        """Have the page download the numbers (csv) or the picture (svg)."""
        trace = self.trace
        if trace is None:
            raise InputError("There is nothing to save yet.", "Start a text first.")
        if form not in FORMS:
            raise InputError(f"{form!r} is no form of this.", f"There are: {', '.join(FORMS)}.")
        text = trace.frame().to_csv() if form == "csv" else Heatmap(trace).svg()
        self.hand_over(f"{trace.statistic}.{form}", text, FORMS[form])

    def _on(self, recording: Recording) -> Generator[Answer, None, None]:
        self._finished, due = False, 0.0
        try:
            for _ in recording.on(self.garage.lifted, self.tokens):
                if monotonic() >= due:
                    due = monotonic() + APART
                    self._publish()
                    yield {"_progress": self._count()}
        finally:
            self._publish()

    @traitlets.observe("statistic", "tau")
    def _chosen(self, change: object) -> None:
        self._publish()

    @traitlets.observe("tokens")
    def _counted(self, change: object) -> None:
        if not self._running:
            self._left = self._can_go_on()

    def _publish(self) -> None:
        """Under the lock from the first look to the last byte: whoever comes last shows what is chosen now."""
        with self._turn, self.hold_sync():
            trace = self.trace
            if trace is not None:
                values = trace.values()
                self.set_trait("_shown", shown_of(trace, scale_for(values)))
                self.set_trait("_values", values.astype(np.float32).tobytes())

    def _over(self, error: BaseException | None) -> None:
        with self._turn, self.hold_sync():
            super()._over(error)
            self._left = (error is None or isinstance(error, CancelledError)) and self._can_go_on()
            self._progress = f"Paused after {self._count()}." if self._left else self._count()

    def _can_go_on(self) -> bool:
        recording = self._recording
        if recording is None or self._finished or recording.ended or not recording.trace.tokens:
            return False
        return bool(len(recording.written) < self.tokens)

    def _count(self) -> str:
        written = len(self._recording.written) if self._recording else 0
        return f"{written} of {self.tokens} tokens written"


def shown_of(trace: Trace, scale: Scale) -> dict[str, Any]:
    """What the page says beside the values; the part names and tokens as they can be seen."""
    return {
        "parts": list(map(one_line, trace.parts)),
        "changed": [name in trace.changed for name in trace.parts],
        "tokens": list(map(one_line, trace.tokens)),
        "prompted": trace.prompted,
        "defined": trace.defined(),
        "low": scale.low,
        "high": scale.high,
        "signed": scale.stops == CHANGES,
    }
