"""Child: one player's process, seen from the parent."""

from __future__ import annotations

import json
import os
import subprocess
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import Any

from .player import CannotError
from .shapes import Shape

ROOT = Path(__file__).parents[2]
QUIET = {
    "OMP_NUM_THREADS": "1",
    "MKL_NUM_THREADS": "1",
    "HF_HUB_OFFLINE": "1",
    "TOKENIZERS_PARALLELISM": "false",
    "WANDB_MODE": "disabled",
}


@dataclass
class Child:
    """Starts at once and says hello; between two questions it is blocked on its pipe. `log` takes its stderr."""

    player: str
    python: Path
    shape: Shape
    folder: Path
    log: Path
    hello: dict[str, Any] = field(init=False)

    def __enter__(self) -> Child:
        """CannotError when it dies before it is ready."""
        hidden = {"CUDA_VISIBLE_DEVICES": ""} if self.shape.device == "cpu" else {}  # some tools go there unasked
        command = [self.python, "-m", "tests.bench.server", self.player, self.folder]
        with self.log.open("w", encoding="utf-8") as errors:
            self._process = subprocess.Popen(
                [*map(str, command), self.shape.device, self.shape.dtype],
                stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=errors,
                text=True, cwd=ROOT, env={**os.environ, **QUIET, **hidden},
            )  # fmt: skip
        try:
            self.hello = self._next()
        except BaseException:
            self.close()
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def ask(self, row: str, *, swap: bool = False) -> dict[str, Any]:
        """CannotError with the tool's reason, or with the last line of a process that died."""
        assert self._process.stdin is not None
        with suppress(BrokenPipeError):  # `_next` says what happened
            print(json.dumps({"row": row, "swap": swap}), file=self._process.stdin, flush=True)
        answer = self._next()
        if "cannot" in answer:
            raise CannotError(answer["cannot"])
        return answer

    def close(self) -> None:
        """The end of its input is the end of the process."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        with suppress(BrokenPipeError):
            self._process.stdin.close()
        self._process.stdout.close()
        try:
            self._process.wait(timeout=10)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()

    def _next(self) -> dict[str, Any]:
        assert self._process.stdout is not None
        line = self._process.stdout.readline()
        if not line:
            self._process.wait()
            last = self.log.read_text(encoding="utf-8", errors="replace").strip().splitlines()[-1:]
            raise CannotError(f"its process ended: {''.join(last) or 'without a word'}")
        answer: dict[str, Any] = json.loads(line)
        return answer
