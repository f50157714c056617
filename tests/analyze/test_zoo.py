"""Every class of the zoo: its lens ends in its own answer and its patterns sum to 1, or it is refused in two lines."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

import pytest
import torch

from garage_nb.core.calling import answer, asked
from garage_nb.errors import GarageError
from garage_nb.garage import Garage
from tests.coverage.inside import _has_sinks
from tests.coverage.opened import Opened
from tests.coverage.zoo import Entry, build, entries, inputs

pytestmark = pytest.mark.slow
ABLE = [entry for entry in entries() if not entry.refused]


def opened(entry: Entry) -> Garage:
    try:
        return Garage(build(entry))
    except GarageError as error:
        pytest.skip(f"it is not opened: {error.what}")


def told(ask: Callable[[Any], Any], given: Any) -> Any:
    """The answer, or the refusal."""
    try:
        return ask(given)
    except GarageError as error:
        return error


@pytest.mark.filterwarnings("ignore::garage_nb.errors.PartsLeftOut")
@pytest.mark.parametrize("entry", ABLE, ids=str)
def test_the_lens_ends_in_the_models_own_answer(entry: Entry) -> None:
    garage = opened(entry)

    found = told(partial(garage.lens, top=1), inputs(garage.model))

    if isinstance(found, GarageError):
        assert str(found).count("\n") == 1
        return
    with torch.no_grad():
        bare = answer(asked(garage.model, Opened(garage.model, garage.spec).batch, use_cache=False)())[0]
    assert torch.equal(list(found.layers.values())[-1].ids[:, 0], bare.argmax(-1))


@pytest.mark.filterwarnings("ignore::garage_nb.errors.PartsLeftOut")
@pytest.mark.parametrize("entry", ABLE, ids=str)
def test_the_patterns_sum_to_one(entry: Entry) -> None:
    garage = opened(entry)

    found = told(garage.attention, inputs(garage.model))

    if isinstance(found, GarageError):
        assert str(found).count("\n") == 1
        return
    for name, one in found.parts.items():
        sums = one.weights.sum(-1)
        assert float(sums.max()) <= 1 + 1e-5
        if not _has_sinks(garage.model.get_submodule(garage.spec.site(f"{name}.pattern").path)):
            assert float(sums.min()) >= 1 - 1e-5


@pytest.mark.filterwarnings("error::garage_nb.errors.PartsLeftOut")
@pytest.mark.parametrize("entry", ABLE, ids=str)
def test_a_scan_reads_all_that_can_be_read(entry: Entry) -> None:
    """No kind of model is refused, warned of, or accused of a value that is not finite."""
    garage = opened(entry)

    found = garage.scan(inputs(garage.model))

    assert found.of_kind("non-finite values") == ()
    for part in found.parts:
        assert found.gauge(part).fine == found.gauge(part).tokens > 0
        assert found.gauge(part).statistics["norm"] >= 0
    assert repr(found)
