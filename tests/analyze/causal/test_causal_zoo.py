"""Every class of the zoo: the clean stream leaving its last block brings the whole answer back, or it is refused."""

from __future__ import annotations

from functools import partial

import pytest
import torch

from garage_nb.errors import GarageError
from tests.analyze.test_zoo import ABLE, opened, told
from tests.coverage.zoo import Entry, inputs

pytestmark = pytest.mark.slow
# What leaves their last block is not all that the answer is made of: a second stream, a state of their own.
OTHER_WAYS = ("hrm_text", "inkling2_text", "reformer")


@pytest.mark.filterwarnings("ignore::garage_nb.errors.PartsLeftOut")
@pytest.mark.parametrize("entry", ABLE, ids=str)
def test_the_last_layer_brings_the_answer_back(entry: Entry) -> None:
    garage = opened(entry)
    clean, corrupt = inputs(garage.model), inputs(garage.model)
    written = "decoder_input_ids" if "decoder_input_ids" in corrupt else "input_ids"
    corrupt[written] = corrupt[written].clone()
    corrupt[written][0, 1] = 11

    patching = partial(garage.patching, corrupt=corrupt, tokens="all", metric="divergence", method="both")
    found = told(patching, clean)

    if isinstance(found, GarageError):
        assert str(found).count("\n") == 1
        return
    assert found.estimate is not None
    assert bool(torch.isfinite(found.estimate).all())
    if not str(entry).endswith(OTHER_WAYS):
        assert float(found.recovery[-1, 0]) == pytest.approx(1, abs=1e-3)
