"""A patch grid over several pairs: every cell of every pair by hand, the interval by NumPy, and what is refused."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

from garage_nb.analyze.causal.patch_grid import PatchGrid
from garage_nb.errors import EditError, GarageError, InputError
from garage_nb.garage import Garage
from tests.analyze.naive import hooked, last_logits, patched, state
from tests.coverage.zoo import Entry, build
from tests.families import tiny
from tests.restored import left_as_it_was

CLEAN = [[3, 1, 4, 1, 5, 9, 2, 6], [8, 1, 4, 7, 7, 9, 2, 30], [3, 1, 40, 1, 5, 51, 2, 6]]
CORRUPT = [[3, 1, 7, 1, 5, 8, 2, 6], [8, 1, 7, 7, 7, 9, 2, 31], [3, 1, 41, 1, 5, 8, 2, 6]]
TARGETS, FOIL = [5, 11, 24], 9
PARTS = "layer_*,attention_1.head_*,ffn_0"
CITIES = ["France", "Japan", "Italy", "Spain"]
ASKED = [f"The capital of {city} is" for city in CITIES]


def grid(model: Any, clean: Any = CLEAN, corrupt: Any = CORRUPT, layers: str = PARTS, **options: Any) -> PatchGrid:
    asked = {"target": TARGETS, "foil": FOIL, **options}
    return Garage(model).patching(clean, corrupt, layers=layers, **asked)


def naive(model: Any, pair: int, parts: tuple[str, ...], ids: tuple[list[int], list[int]]) -> tuple[Tensor, Tensor]:
    """The metric and the recovery of every cell, one forward each."""
    clean, corrupt = ids

    def metric(logits: Tensor) -> float:
        return float(logits[TARGETS[pair]] - logits[FOIL])

    rows = {name: state(model, clean, name) for name in parts}
    spans = [slice(at, at + 1) for at in range(len(clean))]
    cells = [[metric(patched(model, corrupt, name, rows[name], at)) for at in spans] for name in parts]
    high, low = metric(last_logits(model, clean)), metric(last_logits(model, corrupt))
    found = torch.tensor(cells, dtype=torch.float64)
    return found, (found - low) / (high - low)


@pytest.mark.parametrize("family", ["gpt2", "llama", "gemma2", "mixtral"])
def test_every_cell_of_every_pair_is_a_forward_of_its_own(family: str) -> None:
    model = tiny(family)

    with left_as_it_was(model):
        found = grid(model)

    both = [naive(model, pair, found.parts, ids) for pair, ids in enumerate(zip(CLEAN, CORRUPT, strict=True))]
    assert found.values is not None
    torch.testing.assert_close(found.values, torch.stack([cells for cells, _ in both]), rtol=1e-5, atol=1e-5)
    span = (found.contrast.of_clean - found.contrast.of_corrupt).abs().min()
    torch.testing.assert_close(
        found.recoveries, torch.stack([share for _, share in both]), rtol=1e-5, atol=1e-5 / float(span)
    )
    torch.testing.assert_close(found.recovery, found.recoveries.mean(dim=0))
    assert found.contrast.label == "logit of its target − logit of its foil"


def test_each_pair_is_as_if_it_had_come_alone(llama: Any) -> None:
    together = grid(llama, method="both")

    for pair, (clean, corrupt) in enumerate(zip(CLEAN, CORRUPT, strict=True)):
        alone = grid(llama, clean, corrupt, method="both", target=TARGETS[pair])
        assert together.values is not None
        assert together.estimate is not None
        assert torch.equal(together.values[pair], alone.shown)
        assert torch.equal(together.estimate[pair], alone.estimate[0])  # type: ignore[index]
        assert torch.equal(together.recoveries[pair], alone.recovery)
        assert bool(alone.interval.low.isnan().all())


def test_the_interval_is_a_bootstrap_over_pairs(llama: Any) -> None:
    found = grid(llama, seed=4)

    samples = found.recoveries.numpy()
    chosen = torch.randint(3, (4000, 3), generator=torch.Generator().manual_seed(4)).numpy()
    low, high = np.quantile(samples[chosen].mean(axis=1), [0.025, 0.975], axis=0)
    assert found.interval.mean.numpy() == pytest.approx(samples.mean(axis=0), abs=1e-12)
    assert found.interval.low.numpy() == pytest.approx(low, abs=1e-9)
    assert found.interval.high.numpy() == pytest.approx(high, abs=1e-9)
    frame = found.frame()
    assert frame.loc[("layer_1", "5"), ["low", "high"]].tolist() == [float(low[1, 5]), float(high[1, 5])]


def test_unlike_targets_of_their_own_make_unlike_metrics(llama: Any) -> None:
    own = grid(llama, layers="layer_1", target=None, foil=None, metric="probability")

    likeliest = [int(last_logits(llama, ids).argmax()) for ids in CLEAN]
    given = grid(llama, layers="layer_1", target=likeliest, foil=None, metric="probability")
    assert torch.equal(own.shown, given.shown)
    assert own.contrast.label == ("probability of its target" if len(set(likeliest)) > 1 else given.contrast.label)


def test_the_recipe_is_in_force_in_every_pair(llama: Any) -> None:
    garage = Garage(llama)
    garage.scale("attention_0", 0.3)

    found = garage.patching(CLEAN, CORRUPT, layers="ffn_2", target=TARGETS, foil=FOIL)

    with hooked(llama, "attention_0", lambda hidden: 0.3 * hidden):
        expected, _ = naive(llama, 2, ("ffn_2",), (CLEAN[2], CORRUPT[2]))
    assert found.values is not None
    torch.testing.assert_close(found.values[2], expected, rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("side", ["left", "right"])
def test_padding_changes_nothing_and_unlike_pairs_share_their_last_token(llama: Any, side: str) -> None:
    rows = [(CLEAN[0], CORRUPT[0]), (CLEAN[1][3:], [*CORRUPT[1][3:-1], 40])]

    def given(which: int) -> dict[str, Any]:
        ids = [pair[which] for pair in rows]
        fill = [[2] * (8 - len(one)) for one in ids]
        join = [(pad, one) if side == "left" else (one, pad) for pad, one in zip(fill, ids, strict=True)]
        mask = [[[0] * len(pad), [1] * len(one)] for pad, one in zip(fill, ids, strict=True)]
        ordered = [pair if side == "left" else pair[::-1] for pair in mask]
        return {"input_ids": [a + b for a, b in join], "attention_mask": [a + b for a, b in ordered]}

    found = grid(llama, given(0), given(1), tokens="-1", target=TARGETS[:2])

    for pair, (clean, corrupt) in enumerate(rows):
        alone = grid(llama, clean, corrupt, tokens="-1", target=TARGETS[pair])
        assert found.values is not None
        assert torch.equal(found.values[pair], alone.shown)
    assert [span.said for span in found.spans] == ["-1"]
    with pytest.raises(InputError, match="from 5 to 8 tokens") as caught:
        grid(llama, given(0), given(1), target=TARGETS[:2])
    assert "--tokens -1" in caught.value.hint


def test_a_token_is_named_where_all_pairs_have_it(llama: Any) -> None:
    spans = grid(llama, layers="layer_0").spans

    assert [(span.clean, span.corrupt) for span in spans[1:3]] == [("1", "1"), ("", "")]
    assert [(span.clean, span.corrupt) for span in spans[5:7]] == [("", ""), ("2", "2")]
    assert [span.name for span in spans] == ["0", "'1'", "2", "3", "4", "5", "'2'", "7"]


def test_what_a_patch_would_not_change_is_not_run(llama: Any) -> None:
    """The tokens before the first that differs hold the same bits."""
    ran: list[int] = []
    handle = llama.model.layers[2].register_forward_hook(lambda module, args, output: ran.append(args[0].shape[0]))
    found = grid(llama, CLEAN[0], CORRUPT[0], layers="layer_0", target=5)
    handle.remove()

    assert found.recovery[0, :2].tolist() == [0, 0]
    assert bool((found.recovery[0, 2:] != 0).all())
    assert max(ran) == 6


def test_paths_of_several_pairs_are_those_of_each(llama: Any) -> None:
    asked = {"senders": "attention_0,ffn_1", "receiver": "attention_2", "foil": FOIL}
    garage = Garage(llama)

    found = garage.path(CLEAN, CORRUPT, target=TARGETS, **asked)

    for pair, (clean, corrupt) in enumerate(zip(CLEAN, CORRUPT, strict=True)):
        alone = garage.path(clean, corrupt, target=TARGETS[pair], **asked)
        assert torch.equal(found.recoveries[pair], alone.recovery)
    samples = found.recoveries.numpy()
    chosen = torch.randint(3, (4000, 3), generator=torch.Generator().manual_seed(0)).numpy()
    assert found.interval.low.numpy() == pytest.approx(np.quantile(samples[chosen].mean(axis=1), 0.025, axis=0))


def test_the_showroom_keeps_its_capitals_at_the_last_token() -> None:
    garage = Garage("showroom")

    found = garage.patching(ASKED, [*ASKED[1:], ASKED[0]], method="both")

    assert [span.clean for span in found.spans[1:]] == ["The", " capital", " of", "", " is"]
    assert float(found.interval.low[0, 5]) > 0.9
    assert float(found.interval.high[:, :5].abs().max()) < 0.1
    low, high = found.correlation_interval
    assert 0.8 < low < found.correlation < high <= 1
    assert "mean of 4 pairs" in repr(found)
    assert "95 %" in repr(found)


def test_frames_and_pictures_of_several_pairs(llama: Any) -> None:
    found, heads = grid(llama, method="both"), grid(llama, layers="attention_*.head_*", tokens="-1")
    single = grid(llama, layers="layer_*", tokens="-1")

    assert list(found.frame().columns) == [
        "clean_token", "corrupt_token", "metric", "estimate", "recovery", "low", "high"
    ]  # fmt: skip
    each = found.each()
    assert each.shape == (3 * 8 * 8, 7)
    assert each.loc[(2, "ffn_0", "5"), "recovery"] == float(found.recoveries[2, -1, 5])
    assert each.loc[(1, "layer_0", "0"), "of_clean"] == float(found.contrast.of_clean[1])
    assert heads.plot().axes.images[0].get_array().shape == (3, 4)
    whiskers = single.plot().axes
    assert not whiskers.images
    assert whiskers.lines[-1].get_ydata().tolist() == single.recovery[:, 0].tolist()
    assert "95 % from" in repr(single)
    assert "mean of 3 pairs" in single.plot().axes.get_ylabel().replace("\n", " ")


T5 = {"input_ids": [CLEAN[0]], "decoder_input_ids": [[3, 5, 7]]}
REFUSED = {
    "number": ({"corrupt": CORRUPT[:2]}, InputError, "3 clean and 2 corrupt prompts"),
    "targets": ({"target": [1, 2]}, InputError, "2 targets were given for 3 prompts"),
    "same": ({"corrupt": [CORRUPT[0], CLEAN[1], CORRUPT[2]]}, InputError, "Pair 1, counted from 0: .*nothing to bring"),
    "token": ({"target": [5, 9, 24]}, InputError, "Pair 1, counted from 0: Target and foil are both"),
    "position": ({"tokens": "8"}, EditError, "none of the 8 tokens"),
}


@pytest.mark.parametrize("case", REFUSED)
def test_what_cannot_be_patched_is_refused_in_two_lines(llama: Any, case: str) -> None:
    options, kind, message = REFUSED[case]

    with pytest.raises(kind, match=message) as caught:
        grid(llama, **options)

    assert str(caught.value).count("\n") == 1


@pytest.mark.parametrize(
    ("corrupt", "apart"),
    [([3, 1, 7, 1], "they differ first at token 2, '4' for '7'"), ([3, 1, 4, 1], "they are the same for 4")],
)
def test_prompts_of_unlike_length_say_where_they_part(llama: Any, corrupt: list[int], apart: str) -> None:
    with pytest.raises(InputError) as caught:
        grid(llama, CLEAN[0], corrupt, target=5)

    assert caught.value.what == f"The clean prompt has 8 tokens, the corrupt one 4; {apart}."
    assert "as many tokens" in caught.value.hint


def test_of_several_the_pair_of_unlike_length_is_named(llama: Any) -> None:
    ids = {"input_ids": CORRUPT, "attention_mask": [[1] * 8, [1] * 8, [1] * 7 + [0]]}

    with pytest.raises(InputError, match="Pair 2, counted from 0: The clean prompt has 8 tokens, the corrupt one 7"):
        grid(llama, CLEAN, ids)


def test_an_encoder_and_a_decoder_are_not_mixed() -> None:
    garage = Garage(build(Entry("seq2seq", "t5", "T5ForConditionalGeneration")))
    unwritten = {"input_ids": [CORRUPT[0]]}
    other = {**T5, **unwritten}

    with pytest.raises(InputError, match="3 tokens for the decoder, the corrupt one 1"):
        garage.patching(T5, unwritten, metric="divergence")
    with pytest.raises(InputError, match="encoder and of the decoder read different tokens"):
        garage.patching(T5, other, layers="encoder_layer_0,layer_0", metric="divergence")
    with pytest.raises(InputError, match="is the encoder's") as caught:
        garage.path(T5, other, senders="encoder_attention_0", metric="divergence")

    assert "decoder" in caught.value.hint


@pytest.mark.parametrize("asked", ["attention_*.head_*", "attention_0.head_1"])
def test_a_model_without_attention_says_what_it_has(asked: str) -> None:
    garage = Garage(build(Entry("causal", "mamba", "MambaForCausalLM")))

    with pytest.raises(GarageError) as patched_heads:
        garage.patching(CLEAN[0], CORRUPT[0], layers=asked)
    with pytest.raises(GarageError, match="has no attention") as attention:
        garage.attention(CLEAN[0])
    with pytest.raises(GarageError, match="has no attention") as heads:
        garage.heads(CLEAN[0])

    assert all("mixer" in caught.value.hint for caught in (patched_heads, attention, heads))


def test_a_head_that_is_not_there_says_how_many_there_are(llama: Any) -> None:
    with pytest.raises(GarageError, match=r"attention_1\.head_9") as caught:
        grid(llama, layers="attention_1.head_9")

    assert caught.value.hint == "attention_1 has head_0 to head_3."
