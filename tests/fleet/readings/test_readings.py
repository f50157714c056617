"""What is read of texts side by side is what is read of each alone, on either side of their padding."""

from __future__ import annotations

from dataclasses import fields
from functools import reduce
from typing import Any

import numpy as np
import pytest
import torch

from garage_nb.analyze.neurons.firing import fires
from garage_nb.core.tokenwise import EDGES, STORED, TOKENWISE, reduce_each, statistics_each
from garage_nb.fleet.corpus.text import Text
from garage_nb.fleet.readings.edited import Edited
from garage_nb.fleet.readings.firing import Firing
from garage_nb.fleet.readings.grid import counted
from garage_nb.fleet.readings.kinds import Moments
from garage_nb.fleet.readings.losses import Losses
from garage_nb.fleet.readings.plan import Plan, batch_with
from garage_nb.fleet.readings.probe import Probe, fits, fitted, tries
from garage_nb.fleet.readings.record import Record, digest, from_bytes, merged, to_bytes
from garage_nb.fleet.readings.statistics import Statistics, cumulative
from garage_nb.inject.ablate import Ablate
from garage_nb.inject.edits import Scale, Steer
from garage_nb.inject.recipe import Recipe
from garage_nb.registry.lift import Lifted, lift
from tests.families import tiny
from tests.fleet.texts import padded, texts

LABELS = ("red", "blue", "")
SCALED = Recipe((Scale("layer_0", 0.5),))


def plan(lifted: Lifted, *more: Any) -> Plan:
    layers = tuple(lifted.spec.usable("layer_*"))
    neurons = tuple(f"{name}.neurons" for name in ("ffn_0", "ffn_2") if lifted.spec.parts[name].count_of("neurons"))
    return Plan(
        (
            Statistics(layers, TOKENWISE),
            Firing(neurons),
            Losses(("layer_1", "attention_2"), (0.5, 2.0), special=(5,)),
            Probe(layers[1:]),
            *more,
        )
    )


def alike(found: Record, wanted: Record) -> None:
    """Numbers of tokens are equal, real ones to 1e-6 of the largest value; a level or a bin may lose an entry to its
    neighbour, where that entry lies on the edge.
    """
    assert found.keys() == wanted.keys()
    for name, kind in wanted.items():
        for item in fields(kind):
            a, b = (np.asarray(getattr(one[name], item.name)) for one in (found, wanted))
            if item.name == "counts":
                assert a.sum() == b.sum(), name
                assert np.abs(a - b).sum() <= 1e-3 * b.sum(), name
            elif item.name == "n":
                assert np.array_equal(a, b), name
            else:
                largest = _largest(wanted["loss"] if name.startswith("change") else kind)
                scale = largest**2 * kind.n if item.name in ("squares", "products") else largest  # type: ignore[union-attr]
                assert (np.abs(a - b) <= 1e-6 * scale).all(), f"{name} {item.name}"


def _largest(kind: Any) -> Any:
    """Of each statistic, or of a whole state."""
    if isinstance(kind, Moments):
        return np.sqrt(np.abs(kind.products).max() / kind.n) + np.abs(kind.mean).max()
    each = np.maximum(np.abs(kind.low), np.abs(kind.high))
    return each if each.shape == (len(TOKENWISE),) else each.max()


@pytest.mark.parametrize("side", ["right", "left"])
@pytest.mark.parametrize("family", ["gpt2", "llama", "mixtral"])
def test_a_ragged_batch_reads_as_its_texts_one_by_one(family: str, side: str) -> None:
    lifted = lift(tiny(family))
    some = texts(12, labels=LABELS)
    asked = plan(lifted)

    together = asked.over(lifted, padded(some, lifted.model, side), some, SCALED)

    alone = [asked.over(lifted, batch_with((one,), lifted), (one,), SCALED) for one in some]
    alike(together, reduce(merged, alone))


def test_sums_are_those_of_all_tokens_at_once() -> None:
    lifted = lift(tiny("gpt2"))
    some = texts(9)
    asked = Plan((Statistics(("layer_1",), TOKENWISE), Firing(("ffn_1.neurons",))))

    found = reduce(merged, (asked.read(lifted, some[at : at + 4]) for at in (0, 4, 8)))

    rows, neurons = ([seen(lifted, one, place) for one in some] for place in ("layer_1", "ffn_1.neurons"))
    values = statistics_each(torch.cat(rows), TOKENWISE).numpy()
    tally: Any = found["layer_1 values"]
    assert tally.n.tolist() == [len(values)] * len(TOKENWISE)
    np.testing.assert_allclose(tally.mean, values.mean(0), rtol=1e-6, atol=1e-7)
    np.testing.assert_allclose(tally.std, values.std(0), rtol=1e-5, atol=1e-7)
    assert np.abs(found["layer_1 distributions"].counts - counted(values)).sum() <= 1e-2 * values.size  # type: ignore[union-attr]
    loud = sum(fires(one, 1.0).sum(0) for one in neurons)
    assert np.abs(found["ffn_1.neurons fired"].counts - loud.numpy()).sum() <= 2  # type: ignore[union-attr]
    assert found["ffn_1.neurons heard"].counts == found["tokens"].counts == len(values)  # type: ignore[union-attr]


def test_levels_know_the_sparsity_at_every_edge() -> None:
    """To the entry: by the counts that every token leaves of itself."""
    lifted = lift(tiny("llama"))
    one = texts(1, longest=20)
    reading = Statistics(("layer_2",), ("sparsity",))

    found = Plan((reading,)).read(lifted, one)

    counts = reduce_each(seen(lifted, one[0], "layer_2"), EDGES)[:, len(STORED) :].sum(0)
    levels: Any = found["layer_2 levels"]
    assert levels.counts.cumsum().tolist() == counts.tolist()
    told = cumulative(levels, reading.edges)
    assert told[0.1] == pytest.approx(float(found["layer_2 values"].mean[0]))  # type: ignore[union-attr]
    assert "layer_2 levels" not in Plan((Statistics(("layer_2",), ("norm",)),)).read(lifted, one)


def test_constant_and_empty_tokens_have_their_levels() -> None:
    from garage_nb.fleet.readings.levels import counted_levels

    rows = torch.tensor([[0.0, 0.0], [3.0, 3.0], [1.0, -1.0], [0.0, 1e-12]], dtype=torch.float64)

    levels = counted_levels(rows, rows.std(1, correction=0))

    by_edge = dict(zip((*EDGES, None), levels.tolist(), strict=True))
    assert {edge: count for edge, count in by_edge.items() if count} == {0.0: 3, 1.0: 2, 2.0: 1, None: 2}


def test_a_token_that_is_not_finite_is_counted_and_left_out() -> None:
    lifted = lift(tiny("gpt2"))
    with torch.no_grad():
        lifted.model.transformer.wte.weight[7] = torch.inf
    bad, good = Text("bad", (5, 6, 7)), Text("good", (5, 6, 8, 9))
    asked = Plan(
        (Statistics(("embedding",), ("norm", "kurtosis", "sparsity")), Firing(("ffn_0.neurons",)), Losses((), ()))
    )

    found: Any = asked.read(lifted, (bad, good))

    assert found["embedding non-finite"].counts == 1
    assert found["embedding values"].n.tolist() == [6, 6, 6]
    assert found["embedding distributions"].counts.sum(1).tolist() == [6, 6, 6]
    assert found["embedding levels"].counts.sum() == 6 * 32
    assert found["ffn_0.neurons heard"].counts == 4  # a weight of 0 times infinity: no token of its text is finite
    assert found["not finite"].counts == 5
    assert found["loss"].n == 0


def test_losses_are_those_of_the_model_and_differ_as_its_texts_do() -> None:
    lifted = lift(tiny("llama"))
    some = texts(5)
    asked = Plan((Losses(("layer_1",), (0.5,)),))

    found: Any = asked.read(lifted, some)

    alone = [_own_loss(lifted, one) for one in some]
    tokens = [len(one.ids) - 1 for one in some]
    assert found["loss"].n == sum(tokens)
    assert float(found["loss"].mean) == pytest.approx(np.average(alone, weights=tokens), rel=1e-5)
    half = Plan((Losses((), ()),), Edited.of(Recipe((Scale("layer_1", 0.5),)), "."))
    halved = [float(half.read(lifted, (one,))["loss"].mean) for one in some]  # type: ignore[union-attr]
    apart = np.array(halved) - alone
    assert float(found["change layer_1 x 0.5"].mean) == pytest.approx(apart.mean(), rel=1e-4)
    assert float(found["change layer_1 x 0.5"].std) == pytest.approx(apart.std(), rel=1e-4)


def test_factors_that_are_nearly_alike_are_two_variants() -> None:
    assert list(Losses(("layer_1",), (2.0, 0.1234567, 0.1234568)).variants) == [
        "layer_1 x 2",
        "layer_1 x 0.1234567",
        "layer_1 x 0.1234568",
    ]


def test_what_cannot_be_told_apart_is_read_one_by_one() -> None:
    """A pattern is as wide as its text is long, and padding would be in it."""
    lifted = lift(tiny("llama"))
    some = texts(4)
    asked = Plan((Statistics(("attention_1.pattern",), ("exact_zeros", "norm")),))

    together = asked.read(lifted, some)

    assert digest(together) == digest(reduce(merged, (asked.read(lifted, (one,)) for one in some)))
    assert together["texts"].counts == 4  # type: ignore[union-attr]


def test_two_readings_of_one_place_see_the_same() -> None:
    lifted = lift(tiny("gpt2"))
    some = texts(4)
    each = (Statistics(("ffn_2.neurons",), ("norm",)), Firing(("ffn_2.neurons",)))

    both = Plan(each).read(lifted, some)

    apart = reduce(lambda a, b: {**a, **b}, (Plan((one,)).read(lifted, some) for one in each))
    assert digest(both) == digest(apart)


def test_a_probe_is_fitted_on_one_half_and_tried_on_the_other(tmp_path: Any) -> None:
    """Labels that the last token tells: they are read off, and those that nothing tells are not."""
    lifted = lift(tiny("gpt2"))
    plain = texts(400, vocab=12)
    told = tuple(Text(one.where, one.ids, "even" if one.ids[-1] % 2 else "odd") for one in plain)
    drawn = tuple(Text(one.where, one.ids, "ab"[int(one.where.split()[1]) % 2]) for one in plain)

    right = [_share(lifted, each, tmp_path) for each in (told, drawn)]

    assert right[0] > 0.9
    assert 0.35 < right[1] < 0.65
    assert not any(fits(one) and tries(one) for one in told)
    assert not any(fits(one) or tries(one) for one in plain)


@torch.no_grad()
def _own_loss(lifted: Lifted, text: Text) -> float:
    ids = torch.tensor([text.ids])
    return float(lifted.model(ids, labels=ids).loss)


def _share(lifted: Lifted, some: tuple[Text, ...], folder: Any) -> float:
    chunks = [some[at : at + 50] for at in range(0, len(some), 50)]
    first = reduce(merged, (Plan((Probe(("layer_0", "layer_2")),)).read(lifted, one) for one in chunks))
    second = Plan((fitted(first, ("layer_0", "layer_2"), folder),))
    found: Any = reduce(merged, (second.read(lifted, one) for one in chunks))
    fit, tried = (sum(side(one) for one in some) for side in (fits, tries))
    assert first["layer_0 states"].n == fit  # type: ignore[union-attr]
    counts = found["layer_0 named"].counts
    assert counts.sum() == tried == len(some) - fit
    return float(counts.trace() / counts.sum())


def test_edits_with_tensors_come_back_from_their_file(tmp_path: Any) -> None:
    lifted = lift(tiny("gpt2"))
    recipe = Recipe((Steer("layer_1", torch.ones(32), 3.0), Ablate("attention_2")))
    some = texts(3)
    asked = Plan((Statistics(("layer_2",), ("norm",)),), Edited.of(recipe, tmp_path))

    found = asked.read(lifted, some)

    wanted = asked.over(lifted, batch_with(some, lifted), some, recipe)
    assert digest(found) == digest(wanted) != digest(Plan(asked.readings).read(lifted, some))
    assert digest(from_bytes(to_bytes(found))) == digest(found)
    assert asked.edited == Edited.of(recipe, tmp_path / "elsewhere")


def seen(lifted: Lifted, text: Text, place: str) -> torch.Tensor:
    """What a place holds of one text, (tokens, dim)."""
    from garage_nb.core.run import read
    from garage_nb.core.sites import Read

    found: list[torch.Tensor] = []
    read(lifted.model, batch_with((text,), lifted), [Read(lifted.spec.site(place), found.append)])
    return found[0].detach()[0]
