"""The verb claim: the list, one claim on models and items of one's own, and what it refuses."""

from __future__ import annotations

import csv
from concurrent.futures import ThreadPoolExecutor
from itertools import islice
from pathlib import Path

import pytest
import torch

from garage_nb.errors import GarageError, InputError
from garage_nb.garage import Garage
from garage_nb.garage.showroom_ground import MODELS, showroom_ground
from garage_nb.methods.claims.table import PROPOSALS
from garage_nb.methods.studies.ground import COPY, SIBLING, STRANGER
from garage_nb.methods.tasks.run_task import one_thread
from garage_nb.methods.trial import Trial
from garage_nb.showroom import corpus

ITEMS = [
    {"prompt": item.exercise.ways[0][0], "answer": item.exercise.ways[0][1].strip(), "domain": domain}
    for domain, level in (("sorting", "hard"), ("copy", "standard"))
    for item in islice(corpus.stream(domain, split="train", level=level, seed="own"), 40)
]
SOURCE = "showroom-llama-sorting"


def test_without_a_name_claims_are_listed() -> None:
    found = Garage().claim()

    assert list(found.frame().index.get_level_values("claim")) == list(PROPOSALS)
    assert "layer-n-minus-4" in repr(found)
    assert set(found.frame()["needs"].str.split(", ").sum()) <= {"", *MODELS}


@pytest.fixture(scope="module")
def trial(tmp_path_factory: pytest.TempPathFactory) -> Trial:
    """On a file of one's own items."""
    path = tmp_path_factory.mktemp("items") / "items.csv"
    with path.open("w", newline="") as file:
        rows = csv.DictWriter(file, ["prompt", "answer", "domain"])
        rows.writeheader()
        rows.writerows(ITEMS)
    with one_thread():
        found = Garage("showroom-llama").claim(
            "interior-peak", source=SOURCE, items=str(path), domains="sorting", seed=2
        )
    assert isinstance(found, Trial)
    return found


def test_a_claim_is_tried_on_ones_own(trial: Trial) -> None:
    assert trial.outcomes.seeds == (2, 3, 4, 5, 6)
    assert trial.model_id == f"showroom-llama and {SOURCE}"
    assert trial.outcomes.domains == ("sorting", "copy")
    asked = {f"{one['prompt']} {one['answer']}".replace("  ", " ") for one in ITEMS}
    assert all(item.name.split(": ", 1)[1].replace("  ", " ") in asked for item in trial.outcomes.items)
    assert f"interior-peak: {trial.verdict.ruling}" in repr(trial)


def test_items_are_given_as_values_too_and_runs_are_kept(trial: Trial, tmp_path: Path) -> None:
    """With a ledger every seed is a file, which the same line reads again, whatever runs it: here what runs nothing."""
    garage, closed = Garage("showroom-llama"), ThreadPoolExecutor(1)
    before = {name: weight.clone() for name, weight in garage.model.state_dict().items()}
    asked = {"source": SOURCE, "items": ITEMS, "domains": "sorting", "seed": 2, "ledger": str(tmp_path)}

    found = garage.claim("interior-peak", **asked)

    closed.shutdown()
    assert len([*tmp_path.glob("*.part")]) == len(trial.outcomes.seeds)
    assert garage.claim("interior-peak", **asked, on=closed).frame().equals(found.frame())

    assert found.frame().equals(trial.frame())
    assert all(torch.equal(weight, before[name]) for name, weight in garage.model.state_dict().items())


def test_what_cannot_be_tried_is_refused() -> None:
    garage = Garage("showroom-llama")

    with pytest.raises(InputError, match=r"no claim 'layer-n-minus-5'\.\nNearest: layer-n-minus-4"):
        garage.claim("layer-n-minus-5")
    with pytest.raises(InputError, match=r"This claim takes: a copy of the target .*Given: 0"):
        garage.claim("interior-peak", items=ITEMS)
    with pytest.raises(InputError, match="No item is of 'poems'"):
        garage.claim("interior-peak", source=SOURCE, items=ITEMS, domains="poems")
    with pytest.raises(InputError, match="cannot be read"):
        garage.claim("interior-peak", source=SOURCE, items="nowhere.csv")
    for mine in ({"source": SOURCE}, {"domains": "sorting"}):
        with pytest.raises(InputError, match="take items of one's own"):
            garage.claim("interior-peak", **mine)
    with pytest.raises(GarageError):
        Garage().claim("interior-peak", source=SOURCE, items=ITEMS)
    with pytest.raises(InputError, match=r"No engine is called 'poll'\.\nNearest: pool"):
        garage.claim("interior-peak", source=SOURCE, items=ITEMS, on="poll")
    with pytest.raises(InputError, match=f"None of {len(PROPOSALS)} claims .*; layer-n-minus-4: No item is of 'poems'"):
        garage.claim("all", items=ITEMS, domains="poems")


def test_edits_in_force_are_not_left_out_without_a_word() -> None:
    garage = Garage("showroom-llama")
    garage.scale("layer_1", 0.5)

    for name in ("interior-peak", "all"):
        with pytest.raises(InputError, match=r"Edits are in force, .*scale layer_1.*\nTake them back: reset"):
            garage.claim(name, source=SOURCE, items=ITEMS)

    assert [edit.at for edit in garage.edits] == ["layer_1"]


@pytest.mark.slow
def test_a_live_model_is_tried_by_a_pool(tmp_path: Path) -> None:
    """What no folder holds is saved for the workers, with its tokenizer."""
    live = Garage("showroom-llama")
    with torch.no_grad():
        next(live.model.parameters()).mul_(1.001)
    garage, asked = Garage(live.model, tokenizer=live.tokenizer), {"items": ITEMS, "domains": "sorting"}

    found = garage.claim("debate-in-place", **asked, on="pool:2", ledger=str(tmp_path))

    with one_thread():
        alone = garage.claim("debate-in-place", **asked)
    assert found.outcomes.frame().equals(alone.outcomes.frame())
    assert repr(found) == repr(alone)


@pytest.mark.slow
def test_the_showroom_is_the_ground_where_nothing_is_given() -> None:
    found = showroom_ground([SIBLING, STRANGER])

    assert [one.spec.model_id for one in found.others.values()] == [SOURCE, "showroom-llama-seed1"]
    assert (found.domain, found.other_domain) == ("sorting", "arithmetic")
    assert showroom_ground([COPY, STRANGER]).domain == "arithmetic"
    assert len(found.test["sorting"]) == 400
    assert len({one.text for one in found.fit["sorting"]}) == len(found.fit["sorting"]) == 200
    trial = Garage().claim("same-domain-synergy")
    assert isinstance(trial, Trial)
    assert trial.model_id == f"showroom-llama and {SOURCE}"
