"""Where a value on a tape comes from."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import Tensor, nn

from garage_nb.registry.probe.flow import Flow, Term

from .taping import Twice, X, calls, taped


def test_a_value_is_traced_to_what_it_was_summed_from() -> None:
    tape = taped(Twice(), X)
    flow = Flow(tape)
    first, second = calls(tape, "part")
    inner = calls(tape, "part.inner")[0]

    stream, added = flow.summed(first.left) or []  # type: ignore[arg-type]

    assert stream == Term(1.0, first.entered)  # type: ignore[arg-type]
    assert flow.scaled(added.value) == Term(0.5, inner.left)  # type: ignore[arg-type]
    assert flow.giver(inner.left, first) is inner  # type: ignore[arg-type]
    assert flow.giver(inner.left, second) is None  # type: ignore[arg-type]
    assert flow.summed(inner.left) is None  # type: ignore[arg-type]


def test_what_a_value_depends_on() -> None:
    tape = taped(Twice(), X)
    flow = Flow(tape)
    first, second = calls(tape, "part")
    assert first.left is not None
    assert second.left is not None

    whole = flow.leading_to(second.left, (), 0)
    since = flow.leading_to(second.left, (first.left,), first.ended)

    assert {step.op for step in whole.values()} == {"add", "mul", "module"}
    assert first.left in whole
    assert first.left not in since
    assert flow.depends(second.left, lambda value: value == first.entered) == first.entered
    assert flow.depends(first.left, lambda value: value == second.left) is None


@pytest.mark.parametrize(
    ("fn", "same"),
    [
        (lambda x: x.view(3, 1).unsqueeze(0), True),
        (lambda x: x.clone().detach(), True),
        (lambda x: x[:, :2], False),
        (lambda x: x * 1.0, False),
        (lambda x: x.relu(), False),
        (lambda x: x.reshape(-1).to(torch.float64), True),
    ],
    ids=["views", "copies", "a part", "a product", "another function", "another dtype"],
)
def test_what_is_the_same_value(fn: Any, same: bool) -> None:
    class Through(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.given, self.taken = nn.Identity(), nn.Identity()

        def forward(self, x: Tensor) -> Tensor:
            return self.taken(fn(self.given(x + 1)))

    tape = taped(Through(), X)
    flow = Flow(tape)
    (given,), (taken,) = calls(tape, "given"), calls(tape, "taken")

    assert (flow.origin(taken.entered) == flow.origin(given.left)) is same  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("fn", "times"),
    [
        (lambda a, b: a + b, (1.0, 1.0)),
        (lambda a, b: a - b, (1.0, -1.0)),
        (lambda a, b: torch.add(a, b, alpha=0.25), (1.0, 0.25)),
        (lambda a, b: torch.sub(a, b, alpha=2), (1.0, -2.0)),
        (lambda a, b: a.add_(b), (1.0, 1.0)),
    ],
    ids=["add", "sub", "add alpha", "sub alpha", "in place"],
)
def test_sums_and_their_factors(fn: Any, times: tuple[float, float]) -> None:
    class Sum(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.a, self.b, self.out = nn.ReLU(), nn.Tanh(), nn.Sigmoid()

        def forward(self, x: Tensor) -> Tensor:
            return self.out(fn(self.a(x), self.b(x)))

    tape = taped(Sum(), X)
    (a,), (b,), (out,) = (calls(tape, name) for name in ["a", "b", "out"])

    found = Flow(tape).summed(out.entered)  # type: ignore[arg-type]

    assert found == [Term(times[0], a.left), Term(times[1], b.left)]  # type: ignore[arg-type]
    total = sum(term.times * tape.tensor(term.value) for term in found or [])
    assert torch.allclose(total, tape.tensor(out.entered))  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("fn", "times"),
    [
        (lambda x, k: x * 0.22, 0.22),
        (lambda x, k: 0.22 * x, 0.22),
        (lambda x, k: x / 4, 0.25),
        (lambda x, k: x * k, 3.0),
        (lambda x, k: k * x, 3.0),
        (lambda x, k: x.mul_(0.5), 0.5),
        (lambda x, k: x * x, None),
    ],
    ids=["number", "number first", "quotient", "constant", "constant first", "in place", "square"],
)
def test_plain_factors(fn: Any, times: float | None) -> None:
    class Scaled(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.a, self.out = nn.ReLU(), nn.Identity()
            self.register_buffer("k", torch.tensor(3.0))

        def forward(self, x: Tensor) -> Tensor:
            return self.out(fn(self.a(x), self.k))

    tape = taped(Scaled(), X)
    (a,), (out,) = calls(tape, "a"), calls(tape, "out")

    found = Flow(tape).scaled(out.entered)  # type: ignore[arg-type]

    assert found == (None if times is None else Term(pytest.approx(times), a.left))  # type: ignore[arg-type]


def test_a_factor_that_training_moves_is_no_plain_one() -> None:
    class Gated(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.k, self.a, self.out = nn.Parameter(torch.tensor(3.0)), nn.ReLU(), nn.Identity()

        def forward(self, x: Tensor) -> Tensor:
            return self.out(self.a(x) * self.k)

    tape = taped(Gated(), X)

    assert Flow(tape).scaled(calls(tape, "out")[0].entered) is None  # type: ignore[arg-type]
