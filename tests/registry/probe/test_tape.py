"""What a tape says of a forward."""

from __future__ import annotations

import threading

import torch

from garage_nb.core.attach import Attached
from garage_nb.registry.probe.tape import Tape

from .own import GPT, IDS
from .taping import Twice, X, calls, taped


def test_every_call_with_what_entered_and_left() -> None:
    tape = taped(Twice(), X)

    first, second = calls(tape, "part")
    assert (first.turn, second.turn, tape.runs(first.module)) == (0, 1, 2)
    assert first.parent is None
    assert all(call.parent in (first, second) for call in calls(tape, "part.inner"))
    assert first.ended < second.began
    assert torch.equal(tape.tensor(first.entered), X)  # type: ignore[arg-type]
    assert torch.equal(tape.tensor(first.left), 1.5 * X)  # type: ignore[arg-type]
    assert (first.form, calls(tape, "part.inner")[0].form) == ("tuple", "tensor")


def test_a_value_written_to_is_kept_as_it_was() -> None:
    tape = taped(Twice(), X)
    first, second = calls(tape, "part")
    assert second.left is not None
    assert first.left is not None

    later = second.left._replace(version=1)

    assert torch.equal(tape.tensor(second.left), 2.25 * X)
    assert torch.equal(tape.tensor(later), 3.75 * X)
    assert tape.overwritten(second.left, by=10_000)
    assert not tape.overwritten(second.left, by=second.ended)
    assert not tape.overwritten(first.left, by=10_000)
    assert tape.steps[later].op == "add_"


def test_another_threads_pass_is_not_taped() -> None:
    """It may run the same model at the same time; the tape belongs to the thread that opened it."""
    model = GPT()
    tape, alone = Tape(), taped(model, IDS)
    with torch.no_grad(), Attached(model, tape.watches(model)), tape:
        other = threading.Thread(target=model, args=(IDS,))
        other.start()
        other.join()
        model(IDS)

    assert [call.path for call in tape.calls] == [call.path for call in alone.calls]
