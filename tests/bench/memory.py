"""The most bytes of tensors that were alive at once during some work, over what was alive before.

On a CPU torch's profiler reports every allocation and release of torch's allocator, those inside kernels too; their
running sum has a peak, exact to the byte. What a library allocates for itself (oneDNN's packing) is not seen. On a GPU
the allocator keeps the peak itself.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from itertools import accumulate

import torch
from torch.profiler import ProfilerActivity, profile


def peak(work: Callable[[], object], device: str) -> int:
    return _on_gpu(work) if device == "cuda" else _on_cpu(work)


def _on_cpu(work: Callable[[], object]) -> int:
    with profile(activities=[ProfilerActivity.CPU], profile_memory=True) as recorded:
        answer = work()  # noqa: F841  alive until the recording ends
    events = recorded.profiler.kineto_results.events()
    return highest((event.start_ns(), event.nbytes()) for event in events if event.name() == "[memory]")


def highest(changes: Iterable[tuple[int, int]]) -> int:
    """The top of the running sum of (time, bytes), and at least 0."""
    ordered = sorted(changes, key=lambda change: change[0])
    return max(accumulate((size for _, size in ordered), initial=0))


def _on_gpu(work: Callable[[], object]) -> int:
    torch.cuda.synchronize()
    torch.cuda.reset_peak_memory_stats()
    before = torch.cuda.memory_allocated()
    answer = work()  # noqa: F841
    torch.cuda.synchronize()
    return torch.cuda.max_memory_allocated() - before
