"""A survey: its numbers against loops over one text at a time with hooks of transformers' own."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from garage_nb.errors import CancelledError, InputError, UnknownPartError
from garage_nb.fleet.driving.ledger import ENDING
from garage_nb.fleet.surveying.survey import Survey
from garage_nb.garage import Garage
from tests.families import tiny
from tests.fleet.pressed import Pressed

TEXTS = [
    torch.randint(3, 64, (3 + number % 9,), generator=torch.Generator().manual_seed(number)).tolist()
    for number in range(40)
]
EDGE = 0.1


@pytest.fixture(scope="module")
def garage() -> Garage:
    return Garage(tiny("gpt2"))


@pytest.fixture(scope="module")
def found(garage: Garage) -> Survey:
    return garage.survey(TEXTS, stats="norm,sparsity,mean,loss", neurons="ffn_*", sweep="ffn_1", on="here", batch=8)


def states(model: Any, layer: int) -> np.ndarray:
    """(tokens, dim) of every text, one after the other."""
    rows = []
    handle = model.transformer.h[layer].register_forward_hook(lambda module, args, out: rows.append(_first(out)))
    try:
        for text in TEXTS:
            with torch.no_grad():
                model(torch.tensor([text]))
    finally:
        handle.remove()
    return torch.cat(rows).double().numpy()


def _first(out: Any) -> torch.Tensor:
    return (out[0] if isinstance(out, tuple) else out)[0]


def losses(model: Any) -> list[float]:
    """Mean loss of each text, as transformers has it."""
    with torch.no_grad():
        return [float(model(torch.tensor([text]), labels=torch.tensor([text])).loss) for text in TEXTS]


def test_statistics_are_those_of_every_token(garage: Garage, found: Survey) -> None:
    for layer in range(3):
        x = states(garage.model, layer)
        norms = np.linalg.norm(x, axis=1)
        sparse = (np.abs(x) <= EDGE * x.std(axis=1, keepdims=True)).mean(axis=1)

        for values, measure in ((norms, "norm"), (sparse, "sparsity"), (x.mean(axis=1), "mean")):
            told = found.found[f"layer_{layer}", measure]
            assert told.count == len(x) == sum(map(len, TEXTS))
            assert told.mean == pytest.approx(values.mean(), rel=1e-5, abs=1e-7)
            assert told.std == pytest.approx(values.std(), rel=1e-4)
            assert (told.min, told.max) == pytest.approx((values.min(), values.max()), rel=1e-5)
            near = np.quantile(values, (0.05, 0.5, 0.95))
            assert (told.p5, told.p50, told.p95) == pytest.approx(near, rel=0.08, abs=0.04)
        assert found.sparsity(f"layer_{layer}")[EDGE] == pytest.approx(sparse.mean(), rel=1e-6)


def test_neurons_are_counted_as_they_fire(garage: Garage, found: Survey) -> None:
    rates = found.firing("ffn_1.neurons")

    rows: list[torch.Tensor] = []
    handle = garage.model.transformer.h[1].mlp.c_proj.register_forward_pre_hook(
        lambda module, args: rows.append(args[0][0])
    )
    for text in TEXTS:
        with torch.no_grad():
            garage.model(torch.tensor([text]))
    handle.remove()
    a = torch.cat(rows).double().numpy()
    fires = np.abs(a) > np.sqrt((a**2).mean(axis=1, keepdims=True))

    assert rates == pytest.approx(fires.mean(axis=0), abs=1e-12)
    assert found.found["ffn_1.neurons", "firing rate"].mean == pytest.approx(fires.mean())


def test_losses_are_those_of_transformers(garage: Garage, found: Survey) -> None:
    plain, tokens = losses(garage.model), [len(text) - 1 for text in TEXTS]
    handle = garage.model.transformer.h[1].mlp.register_forward_hook(lambda module, args, out: out * 0)
    without = losses(garage.model)
    handle.remove()

    told = found.found["ffn_1 x 0", "change of loss"]
    assert found.found["as it is", "loss"].mean == pytest.approx(np.average(plain, weights=tokens), rel=1e-5)
    assert found.found["ffn_1 x 0", "loss"].mean == pytest.approx(np.average(without, weights=tokens), rel=1e-5)
    assert told.mean == pytest.approx(np.mean(np.subtract(without, plain)), rel=1e-4, abs=1e-6)
    assert told.low < told.mean < told.high
    assert told.count == len(TEXTS)


def test_the_edits_in_force_belong_to_the_question(garage: Garage) -> None:
    garage.scale("layer_0", 2)
    try:
        tuned = garage.survey(TEXTS, on="here")
    finally:
        garage.undo()
    plain = garage.survey(TEXTS, on="here")

    assert tuned.digest != plain.digest
    assert "1 edit in force" in repr(tuned)
    assert "in force" not in repr(plain)
    assert tuned.found["layer_0", "norm"].mean == pytest.approx(2 * plain.found["layer_0", "norm"].mean, rel=1e-6)


def test_how_many_go_through_side_by_side_changes_no_count(garage: Garage) -> None:
    alone, together = (garage.survey(TEXTS, neurons="ffn_*", on="here", batch=rows) for rows in (1, 32))

    assert alone.digest != together.digest  # float sums depend on where they are cut
    assert np.array_equal(alone.firing("ffn_0.neurons"), together.firing("ffn_0.neurons"))
    for key, one in alone.found.items():
        assert one.mean == pytest.approx(together.found[key].mean, rel=1e-6)
        assert one.count == together.found[key].count


def test_what_is_interrupted_goes_on_from_its_ledger(garage: Garage, tmp_path: Path) -> None:
    """Three times, each after three more chunks of four texts; nothing is read twice, nothing is lost."""
    whole = garage.survey(TEXTS, on="here", batch=4)
    asked: dict[str, Any] = {"batch": 4, "ledger": str(tmp_path)}

    for _ in range(3):
        with pytest.raises(CancelledError, match=r"interrupted after \d+ texts had been added up\.") as refused:
            garage.survey(TEXTS, on=Pressed(after=3), **asked)
        assert "What was read is kept" in refused.value.hint
    assert len(list(tmp_path.glob(f"*{ENDING}"))) == 9
    last = Pressed(after=99)
    found = garage.survey(TEXTS, on=last, **asked)

    assert last.ran == 1
    assert found.digest == whole.digest
    assert found.texts == len(TEXTS)


def test_a_run_that_is_stopped_ends_the_survey(garage: Garage, tmp_path: Path) -> None:
    """As `%garage stop` does from another thread."""
    runs = iter(range(len(TEXTS)))

    def hear(*given: Any) -> None:
        if next(runs) == 3:
            garage.stop()

    handle = garage.model.transformer.h[0].register_forward_hook(hear)
    with pytest.raises(CancelledError, match="before it was done") as refused:
        garage.survey(TEXTS, on="here", batch=4, ledger=str(tmp_path))
    handle.remove()

    assert "What was done is kept" in refused.value.hint
    assert len(list(tmp_path.glob(f"*{ENDING}"))) in (3, 4)  # one more may have been begun before it is heard


def test_damaged_results_are_made_again(garage: Garage, tmp_path: Path) -> None:
    whole = garage.survey(TEXTS, on="here", batch=4, ledger=str(tmp_path))
    kept = sorted(tmp_path.glob(f"*{ENDING}"))
    for number, file in enumerate(kept[:6]):
        held = bytearray(file.read_bytes())
        held[number * 7] ^= 1
        file.write_bytes(held[: len(held) - number])

    again = garage.survey(TEXTS, on="here", batch=4, ledger=str(tmp_path))

    assert len(kept) == 10
    assert again.digest == whole.digest


def test_a_label_is_read_off_on_texts_the_map_has_not_seen(garage: Garage) -> None:
    """The label is whether the last token is above 33: a linear map of its state can tell some of it."""
    rows = [
        {"text": [*text, last], "kind": "high" if last > 33 else "low"} for text in TEXTS for last in range(3, 64, 4)
    ]
    coins = torch.rand(len(rows), generator=torch.Generator().manual_seed(0))
    by_chance = [{**row, "kind": "high" if coin > 0.5 else "low"} for row, coin in zip(rows, coins, strict=True)]

    told = garage.survey(rows, probe="kind", on="here").found["layer_2", "labels told"]
    guessed = garage.survey(by_chance, probe="kind", on="here").found
    chance, commonest = guessed["layer_2", "labels told"], guessed["commonest label", "labels told"]

    assert 0.3 * len(rows) < told.count < 0.7 * len(rows)
    assert told.low > 0.9
    assert chance.low < 0.55
    assert 0.5 <= commonest.mean < 0.55
    assert commonest.count == chance.count


def test_a_text_that_fails_is_set_aside_once_though_a_probe_reads_twice(garage: Garage) -> None:
    rows = [{"text": [*text, 63], "kind": "odd" if number % 2 else "even"} for number, text in enumerate(TEXTS)]
    bad = {f"text {number}" for number, text in enumerate(TEXTS) if 62 in text}

    def refuse(module: Any, given: tuple[torch.Tensor, ...]) -> None:
        if (given[0] == 62).any():
            raise ValueError("62 cannot be read")

    handle = garage.model.transformer.wte.register_forward_pre_hook(refuse)
    found = garage.survey(rows, probe="kind", on="here")
    handle.remove()

    assert len(found.aside) == len(bad) > 4
    assert {one.where for one in found.aside} == bad
    assert found.texts == len(rows) - len(bad)


def test_a_probe_of_what_can_be_read_once_is_refused(garage: Garage) -> None:
    with pytest.raises(InputError, match="reads a corpus twice"):
        garage.survey(iter([{"text": TEXTS[0], "kind": "a"}]), probe="kind", on="here")


def test_what_was_set_aside_is_named(tmp_path: Path) -> None:
    garage = Garage("showroom")
    lines = [json.dumps({"text": "The capital of France is Paris ."}), "not json", json.dumps({"text": ""}), "{}"]
    (tmp_path / "corpus.jsonl").write_text("\n".join(lines), encoding="utf-8")

    found = garage.survey(str(tmp_path / "corpus.jsonl"), on="here")

    assert found.texts == 1
    assert [one.where for one in found.aside] == ["line 2", "line 3", "line 4"]
    assert "3 texts set aside (line 2: it is no JSON" in repr(found)
    assert list(found.aside.frame().index) == ["line 2", "line 3", "line 4"]


@pytest.mark.parametrize(
    ("asked", "error", "said"),
    [
        ({"stats": "norn"}, InputError, "Nearest: norm"),
        ({"stats": ""}, InputError, "Nothing is asked"),
        ({"batch": 0}, InputError, "0 texts cannot"),
        ({"on": "dusk"}, InputError, "Nearest: dask"),
        ({"layers": "layer_9"}, UnknownPartError, "layer_9"),
        ({"tau": -1.0}, InputError, "no threshold"),
    ],
)
def test_what_cannot_be_asked(garage: Garage, asked: dict[str, Any], error: type[Exception], said: str) -> None:
    with pytest.raises(error, match=said):
        garage.survey(TEXTS, **{"on": "here", **asked})


def test_tokens_that_are_not_finite_are_left_out_and_told() -> None:
    model = tiny("gpt2")
    with torch.no_grad():
        model.transformer.wte.weight[5] = torch.nan

    found = Garage(model).survey([[9, 10], [11, 5]], on="here")

    assert found.found["layer_0", "norm"].count == 2  # with no weight a token looks at the next one too
    assert "NaN or infinite, and left out: 2 tokens of layer_0 and 2 more places" in " ".join(repr(found).split())


def test_a_table_says_what_its_columns_are(found: Survey) -> None:
    statistics, firing, loss, change = repr(found).split("mean over")[1:]

    assert statistics.split().count("5") == 4  # three statistics, and the line above them
    assert firing.split("\n")[1].split() == ["firing", "rate", "5", "%", "95", "%"]
    assert loss.split("\n")[1].split() == ["loss,", "nats"]
    assert change.split("\n")[1].split() == ["change", "of", "loss,", "nats", "from", "to"]


def test_what_was_not_read_cannot_be_looked_at(found: Survey) -> None:
    with pytest.raises(UnknownPartError, match="was not read"):
        found.sparsity("attention_0")
    with pytest.raises(UnknownPartError, match="were not counted"):
        found.firing("layer_0")
    with pytest.raises(InputError, match="was not asked"):
        found.plot("entropy")
