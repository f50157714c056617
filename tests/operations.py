"""What torch is asked for, to say of a piece of work what it does not do."""

from __future__ import annotations

from typing import Any

from torch.utils._python_dispatch import TorchDispatchMode


class Operations(TorchDispatchMode):
    """The names of all operations while it stands, in order: `mm`, `nonzero`, `_local_scalar_dense` (a host waits)."""

    def __init__(self) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.names: list[str] = []

    def __torch_dispatch__(self, operation: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        self.names.append(operation._opname)
        return operation(*args, **(kwargs or {}))
