"""A capture: the numbers of what passed, under the names it was asked by."""

from __future__ import annotations

import math
from typing import Any

import pytest
import torch

from garage_nb.core.tensor import TensorUtils
from garage_nb.errors import InputError, NotFiniteError
from garage_nb.inject.edits import Scale
from garage_nb.inject.layer import LayerInjector
from garage_nb.inject.recipe import Recipe
from garage_nb.registry.decompose import spec_of
from garage_nb.snapshot.capture import SnapshotCapture
from tests.families import prompt
from tests.operations import Operations
from tests.restored import logits_of


def test_numbers_are_those_of_the_tensor(any_model: Any) -> None:
    snapshots = SnapshotCapture(any_model).run(prompt(), keep=True)

    for name, snapshot in snapshots.items():
        expected = TensorUtils.stats(snapshot.hidden)
        assert {key: expected[key] for key in snapshot.statistics.as_dict()} == snapshot.statistics.as_dict()
        assert (snapshot.name, snapshot.shape, snapshot.dtype) == (name, (1, 10, 32), "float32")


def test_the_short_names_of_statistics(gpt2: Any) -> None:
    snapshot = SnapshotCapture(gpt2).run(prompt())["layer_1"]

    numbers = snapshot.statistics
    assert (snapshot.mean_activation, snapshot.std_activation) == (numbers.mean, numbers.std)
    assert (snapshot.sparsity, snapshot.entropy) == (numbers.sparsity, numbers.entropy)


def test_tensors_are_kept_only_when_asked(gpt2: Any) -> None:
    assert SnapshotCapture(gpt2).run(prompt())["layer_0"].hidden is None
    assert SnapshotCapture(gpt2).run(prompt(), keep=True)["layer_0"].hidden is not None


def test_a_kept_tensor_is_nobody_elses(gpt2: Any) -> None:
    """A block may write into what it was given; a capture of that must not move with it."""

    def wipe(module: Any, args: Any) -> None:
        args[0].mul_(0)

    gpt2.transformer.h[1].register_forward_pre_hook(wipe)
    snapshots = SnapshotCapture(gpt2).run(prompt(), layers="0,1", keep=True)

    assert snapshots["layer_0"].hidden.abs().sum() > 0


@pytest.mark.parametrize("layers", [["transformer.h.0", "transformer.h.2"], ("transformer.h.0", "transformer.h.2")])
def test_raw_paths_keep_their_spelling(gpt2: Any, layers: Any) -> None:
    snapshots = SnapshotCapture(gpt2).run(prompt(), layers=layers)

    assert list(snapshots) == list(layers)
    assert snapshots["transformer.h.2"].statistics == SnapshotCapture(gpt2).run(prompt())["layer_2"].statistics


def test_a_selector_answers_in_catalogue_names(gpt2: Any) -> None:
    assert list(SnapshotCapture(gpt2).run(prompt(), layers="-1,mlp_0")) == ["layer_2", "ffn_0"]
    assert list(SnapshotCapture(gpt2).run(prompt(), layers=[0, "blocks.1.hook_resid_post"])) == ["layer_0", "layer_1"]
    assert list(SnapshotCapture(gpt2).run(prompt(), layers=1)) == ["layer_1"]


def test_one_place_under_two_names(gpt2: Any) -> None:
    snapshots = SnapshotCapture(gpt2).run(prompt(), layers=["layer_1", "transformer.h.1", "attention_0.head_0"])

    assert snapshots["layer_1"].statistics == snapshots["transformer.h.1"].statistics


def test_edits_are_seen_and_marked(llama: Any) -> None:
    taps = Recipe((Scale("layer_1", 0.5),)).taps(spec_of(llama))
    camera = SnapshotCapture(llama)

    tuned, bare = camera.run(prompt(), under=taps), camera.run(prompt())

    assert tuned["layer_1"].statistics.std == pytest.approx(bare["layer_1"].statistics.std / 2)
    assert tuned["layer_0"].statistics == bare["layer_0"].statistics
    assert (tuned.changed, bare.changed) == ({"layer_1"}, frozenset())


def test_an_open_injector_is_seen(llama: Any) -> None:
    camera = SnapshotCapture(llama)
    bare = camera.run(prompt())

    with LayerInjector(llama) as injector:
        injector.inject_scaling("layer_1", 0.0)
        assert camera.run(prompt())["layer_1"].statistics.exact_zeros == 1

    assert camera.run(prompt())["layer_1"].statistics == bare["layer_1"].statistics


def test_nan_names_the_first_place(llama: Any) -> None:
    camera = SnapshotCapture(llama)
    with torch.no_grad():
        llama.model.layers[1].mlp.down_proj.weight[3, 5] = float("nan")

    with pytest.raises(NotFiniteError, match="at layer_1 are NaN"):
        camera.run(prompt())


def test_tau_is_used_and_said(gpt2: Any) -> None:
    wide, narrow = (SnapshotCapture(gpt2).run(prompt(), tau=tau) for tau in (1.0, 0.01))

    assert wide["layer_0"].sparsity > 0.5 > narrow["layer_0"].sparsity
    assert "sparsity |x|\u00a0≤\u00a01\u00a0σ" in wide._repr_html_()
    assert wide.plot().axes.get_ylabel() == "sparsity, share of |x| ≤ 1 σ"


@pytest.mark.parametrize("statistics", ["norm", ["norm"]])
def test_only_the_statistics_asked_for_are_there(gpt2: Any, statistics: Any) -> None:
    every, one = (SnapshotCapture(gpt2).run(prompt(), statistics=asked) for asked in (None, statistics))

    assert one.values_of("norm") == every.values_of("norm")
    assert all(map(math.isnan, one.values_of("std") + one.values_of("entropy")))
    assert "–" in repr(one)
    assert "–" not in repr(every)


def test_nan_is_refused_whatever_was_asked(llama: Any) -> None:
    with torch.no_grad():
        llama.model.layers[1].mlp.down_proj.weight[3, 5] = float("nan")

    with pytest.raises(NotFiniteError, match="at layer_1 are NaN"):
        SnapshotCapture(llama).run(prompt(), statistics="exact_zeros")


def test_an_unknown_statistic_is_refused_before_the_model_runs(gpt2: Any) -> None:
    camera, calls = SnapshotCapture(gpt2), []
    gpt2.register_forward_pre_hook(lambda *_: calls.append(1))

    with pytest.raises(InputError, match="no statistic 'beauty'"):
        camera.run(prompt(), statistics=["norm", "beauty"])

    assert calls == []


def test_where_padding_stands_is_asked_once_for_all_places(gpt2: Any) -> None:
    ids = torch.cat([prompt(), prompt()])
    mask = torch.ones_like(ids)
    mask[1, -3:] = 0
    operations = Operations()

    with operations:
        snapshots = SnapshotCapture(gpt2).run({"input_ids": ids, "attention_mask": mask}, layers="all")

    assert snapshots.tokens == 2 * 10 - 3
    assert len(snapshots) == 3
    assert operations.names.count("nonzero") == 1


def test_half_precision_models(any_model: Any) -> None:
    half = any_model.bfloat16()

    snapshots = SnapshotCapture(half).run(prompt(), keep=True)

    assert snapshots["layer_1"].dtype == "bfloat16"
    expected = snapshots["layer_1"].hidden.double().std(correction=0)
    assert snapshots["layer_1"].statistics.std == pytest.approx(float(expected), rel=1e-9)


def test_as_mapping_frame_and_table(gpt2: Any) -> None:
    snapshots = SnapshotCapture(gpt2).run(prompt(), layers="all")

    frame = snapshots.frame()

    assert len(snapshots) == 3
    assert list(frame.index) == ["layer_0", "layer_1", "layer_2"]
    assert frame.loc["layer_1", "kurtosis"] == snapshots["layer_1"].statistics.kurtosis
    assert snapshots.get("layer_9") is None
    with pytest.raises(KeyError, match="layer_2"):
        snapshots["layer_22"]
    assert "10 tokens" in repr(snapshots)
    assert "layer_2" in snapshots._repr_html_()


def test_a_statistic_that_is_not_there(gpt2: Any) -> None:
    with pytest.raises(InputError, match="'beauty'") as caught:
        SnapshotCapture(gpt2).run(prompt()).plot("beauty")

    assert "sparsity" in caught.value.hint


def test_the_plot_shows_the_numbers(gpt2: Any) -> None:
    snapshots = SnapshotCapture(gpt2).run(prompt())

    axes = snapshots.plot("norm").axes

    assert list(axes.lines[0].get_ydata()) == snapshots.values_of("norm")
    assert [tick.get_text() for tick in axes.get_xticklabels()] == list(snapshots)
    assert axes.get_ylabel().startswith("norm ‖x‖")
    assert "σ" in snapshots.plot().axes.get_ylabel()
    assert torch.isfinite(logits_of(gpt2)).all()
