"""A scan: every number against NumPy over states that transformers or hooks of the test's own recorded, one prompt at
a time; planted oddities are found, and a model without any is not accused.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
import torch

from garage_nb.analyze.scan.answer import LABELS
from garage_nb.analyze.scan.places import places, steps
from garage_nb.analyze.scan.rules import Anomaly
from garage_nb.errors import InputError, UnknownPartError
from garage_nb.garage import Garage
from garage_nb.registry.decompose import spec_of
from tests.coverage.zoo import Entry, build
from tests.families import tiny
from tests.restored import left_as_it_was

FAMILIES = ["gpt2", "llama", "gemma2", "mixtral"]
RAGGED = [[3, 1, 4, 1, 5, 9, 2, 6, 53, 58, 9], [7], [11, 12, 13], [40, 3, 3, 3, 3, 8, 60, 21, 5, 5, 6, 17]]
INSIDE = {
    "gpt2": ("transformer.h.1.attn", "transformer.h.1.mlp", "transformer.h.1.mlp.c_proj"),
    "llama": ("model.layers.1.self_attn", "model.layers.1.mlp", "model.layers.1.mlp.down_proj"),
    "gemma2": (
        "model.layers.1.post_attention_layernorm", "model.layers.1.post_feedforward_layernorm",
        "model.layers.1.mlp.down_proj",
    ),
    "mixtral": ("model.layers.1.self_attn", "model.layers.1.mlp", ""),
}  # fmt: skip


def drawn(prompts: int = 12, tokens: int = 32, seed: int = 0) -> list[list[int]]:
    """Enough tokens to call a neuron dead, and so long that evenness gives the first of them little."""
    return torch.randint(3, 64, (prompts, tokens), generator=torch.Generator().manual_seed(seed)).tolist()


def padded(texts: list[list[int]], side: str) -> dict[str, list[list[int]]]:
    longest = max(map(len, texts))
    gaps = [[0] * (longest - len(text)) for text in texts]
    ids = [gap + text if side == "left" else text + gap for gap, text in zip(gaps, texts, strict=True)]
    ones = [[1] * len(text) for text in texts]
    mask = [gap + one if side == "left" else one + gap for gap, one in zip(gaps, ones, strict=True)]
    return {"input_ids": ids, "attention_mask": mask}


def recorded(model: Any, family: str, ids: list[int]) -> dict[str, np.ndarray]:
    """(tokens, dim) by place, float64: the stream by transformers, the inside of block 1 by hooks of the test's own."""
    found: dict[str, Any] = {}
    attention, ffn, down = INSIDE[family]
    handles = [
        model.get_submodule(path).register_forward_hook(
            lambda module, args, out, name=name: found.__setitem__(name, out[0] if isinstance(out, tuple) else out)
        )
        for name, path in {"attention_1": attention, "ffn_1": ffn}.items()
    ]
    if down:
        handles.append(
            model.get_submodule(down).register_forward_pre_hook(
                lambda module, args: found.__setitem__("ffn_1.neurons", args[0])
            )
        )
    with torch.no_grad():
        states = model(torch.tensor([ids]), output_hidden_states=True).hidden_states
    for handle in handles:
        handle.remove()
    found |= {"layer_0.before": states[0], "layer_0": states[1], "layer_1": states[2]}
    return {name: one.reshape(len(ids), -1).double().numpy() for name, one in found.items()}


def told(x: np.ndarray, tau: float) -> dict[str, float]:
    """The measures of a place by their definitions, token by token."""
    std, rms = x.std(1), np.sqrt((x**2).mean(0))
    with np.errstate(divide="ignore", invalid="ignore"):  # the padding token's own embedding is 0
        share = x**2 / (x**2).sum(1, keepdims=True)
        entropy = -np.where(share > 0, share * np.log(share), 0).sum(1)
        kurtosis = ((x - x.mean(1, keepdims=True)) ** 4).mean(1) / std**4
    return {
        "mean": x.mean(),
        "std": std.mean(),
        "norm": np.linalg.norm(x, axis=1).mean(),
        "sparsity": (np.abs(x) <= tau * std[:, None]).mean(),
        "exact_zeros": (x == 0).mean(),
        "entropy": entropy.mean(),
        "kurtosis": np.nanmean(kurtosis),
        "peak": np.abs(x).max() / np.sqrt((x**2).mean()),
        "outlier": rms.max() / np.median(rms),
        "non_finite": 0,
    }


@pytest.mark.parametrize("family", FAMILIES)
@pytest.mark.parametrize("side", ["left", "right"])
def test_every_number_is_that_of_states_recorded_one_by_one(family: str, side: str) -> None:
    model = tiny(family)
    theirs = [recorded(model, family, ids) for ids in RAGGED]

    with left_as_it_was(model):
        found = Garage(model).scan(padded(RAGGED, side), tau=0.3, firing=0.8)

    for name in theirs[0]:
        x = np.concatenate([one[name] for one in theirs])
        gauge = found.gauge(name)
        mine = {measure: found.values(measure, "texts", [name])[0] for measure in LABELS}
        for measure, value in told(x, 0.3).items():
            assert mine[measure] == pytest.approx(value, rel=1e-6, abs=1e-8), (name, measure)
        np.testing.assert_allclose(gauge.rms.numpy(), np.sqrt((x**2).mean(0)), rtol=1e-6)
        assert gauge.tokens == gauge.fine == len(x) == sum(map(len, RAGGED))
        if name == "ffn_1.neurons":
            loud = np.abs(x) > 0.8 * np.sqrt((x**2).mean(1, keepdims=True))
            np.testing.assert_array_equal(gauge.rates.numpy(), loud.mean(0))
            assert mine["silent"] == (~loud.any(0)).mean()
    for before, after in (("layer_0.before", "layer_0"), ("layer_0", "layer_1")):
        a, b = (np.concatenate([np.linalg.norm(one[name], axis=1) for one in theirs]) for name in (before, after))
        assert found.gauge(after).growth == pytest.approx((b[a > 0] / a[a > 0]).mean(), rel=1e-6)
    assert math.isnan(found.gauge("layer_0.before").growth)
    assert math.isnan(found.gauge("attention_1").growth)


@pytest.mark.parametrize("family", FAMILIES)
def test_padding_makes_no_difference_at_all(family: str) -> None:
    garage = Garage(tiny(family))

    left, right = (garage.scan(padded(RAGGED, side)).frame() for side in ("left", "right"))

    assert left.equals(right)


def test_how_the_prompts_are_cut_makes_no_difference(llama: Any) -> None:
    """What is kept adds up: the whole is the mean of its subjects, by their tokens."""
    garage = Garage(llama)

    whole, cut = garage.scan(RAGGED[0] + RAGGED[3]), garage.scan({"a": [RAGGED[0]], "b": [RAGGED[3]]})
    both = garage.scan(padded([RAGGED[0], RAGGED[3]], "right"))

    weights = [11 / 23, 12 / 23]
    for measure in ("norm", "growth", "sparsity", "entropy", "std"):
        parts = [cut.values(measure, name, ["layer_1"])[0] for name in "ab"]
        assert both.values(measure, "texts", ["layer_1"])[0] == pytest.approx(np.dot(weights, parts), rel=1e-12)
    assert whole.gauge("layer_1").tokens == 23
    assert whole.values("norm", "texts", ["layer_1"]) != both.values("norm", "texts", ["layer_1"])


@pytest.mark.parametrize("family", ["gpt2", "llama", "gemma2"])
def test_sinks_are_those_of_heads(family: str) -> None:
    garage, texts = Garage(tiny(family)), padded(drawn(3), "left")

    found, heads = garage.scan(texts), garage.heads(texts)

    for name in ("attention_0", "attention_2"):
        expected = [heads.scores[f"{name}.head_{at}"]["sink"] for at in range(4)]
        assert found.gauge(name).sinks.scores.tolist() == pytest.approx(expected, rel=1e-6)
        assert found.gauge(name).sinks.even == pytest.approx(heads.chance["sink"], rel=1e-6)


@pytest.mark.parametrize("family", ["llama", "gemma2", "qwen3"])
def test_nothing_is_flagged_where_nothing_is_odd(family: str) -> None:
    found = Garage(tiny(family)).scan(drawn())

    assert found.anomalies == ()
    assert "nothing flagged" in unbroken(found)
    assert "nothing was flagged" in repr(found.anomalies)
    assert found.anomalies.frame().empty


def unbroken(found: Any) -> str:
    """Its text, whatever lines it was broken into."""
    return " ".join(repr(found).split())


def kinds(found: Any) -> dict[str, list[str]]:
    places: dict[str, list[str]] = {}
    for one in found.anomalies:
        places.setdefault(one.kind, []).append(one.place)
    return places


def test_a_loud_dimension_is_found() -> None:
    model = tiny("llama")
    with torch.no_grad():
        model.model.layers[1].mlp.down_proj.weight[7] *= 40

    found = Garage(model).scan(drawn())

    assert {one.members for one in found.of_kind("outlier dimensions")} == {(7,)}
    assert kinds(found)["outlier dimensions"] == ["ffn_1", "layer_1", "layer_2"]
    first = found.of_kind("outlier dimensions")[0]
    assert (first.threshold, first.subject) == (6, "texts")
    assert first.amount == found.gauge("ffn_1").outlier > 6
    assert "1 outlier dimension (7)" in unbroken(found)
    assert "≥ 6 × the median" in unbroken(found)
    assert Garage(model).scan(drawn(), outlier=1000).of_kind("outlier dimensions") == ()


def test_a_dead_neuron_is_found_when_there_were_tokens_enough_to_tell() -> None:
    model = tiny("llama")
    with torch.no_grad():
        model.model.layers[1].mlp.gate_proj.weight[[5, 44]] = 0

    found, few = Garage(model).scan(drawn()), Garage(model).scan(drawn(9))

    assert list(found.anomalies) == [Anomaly("dead neurons", "ffn_1.neurons", "texts", (5, 44), 3 / (12 * 32), 0.01)]
    assert found.flags("ffn_1.neurons", "texts") == ["2 dead neurons (5, 44), rate below 0.00781"]
    assert few.anomalies == ()  # 288 tokens cannot say that a rate is below 1 %
    assert few.gauge("ffn_1.neurons").silent == 2 / 64
    assert "≥ 300 tokens" in unbroken(few)
    assert kinds(Garage(model).scan(drawn(9), rare=0.02)) == {"dead neurons": ["ffn_1.neurons"]}


def test_an_exploding_norm_is_found() -> None:
    model = tiny("llama")
    with torch.no_grad():
        model.model.layers[1].mlp.down_proj.weight *= 60

    found = Garage(model).scan(drawn())

    assert kinds(found) == {"exploding norm": ["layer_1"]}
    assert found.anomalies[0].amount == found.gauge("layer_1").growth > 4
    assert Garage(model).scan(drawn(), growth=1000).anomalies == ()


def test_a_sink_made_by_hand_is_found() -> None:
    """One head of GPT-2 whose queries are one vector, and whose keys are that vector at the first position alone."""
    model = tiny("gpt2")
    block, head = model.transformer.h[0], slice(16, 24)  # head 2
    with torch.no_grad():
        block.ln_1.weight.fill_(1)
        block.ln_1.bias.zero_()
        first = torch.zeros(32)
        first[::2], first[1::2] = 1, -1
        model.transformer.wpe.weight[0] = 1000 * first
        weight, bias = block.attn.c_attn.weight, block.attn.c_attn.bias
        weight[:, head] = 0
        bias[head] = 1
        keys = slice(32 + 16, 32 + 24)
        weight[:, keys] = first[:, None] / 4
        bias[keys] = 0

    found = Garage(model).scan(drawn())

    sinks = found.of_kind("attention sinks")
    assert [(one.place, one.members, one.threshold) for one in sinks] == [("attention_0", (2,), 0.4)]
    assert sinks[0].amount == found.gauge("attention_0").sink > 0.9
    assert "1 sink head (2)" in unbroken(found)


def test_prompts_too_short_to_tell_a_sink_are_said_to_be() -> None:
    found = Garage(tiny("llama")).scan([[3, 1, 4]], sink=0.41)

    assert not found.gauge("attention_0").sinks.telling(0.41)
    assert found.gauge("attention_0").sinks.even == pytest.approx((1 / 2 + 1 / 3) / 2)
    assert found.of_kind("attention sinks") == ()
    assert "the prompts are short" in unbroken(found)


def test_values_that_are_not_finite_are_told_and_not_refused() -> None:
    """A token whose embedding is broken spoils its own prompt, from there on; the other prompts' numbers stay."""
    texts = [[3, 4, 5], [6, 7], [8, 9, 10, 11], [9, 12]]
    clean = Garage(tiny("llama")).scan(padded([texts[0], texts[1]], "right"))
    model = tiny("llama")
    with torch.no_grad():
        model.model.embed_tokens.weight[9, 4] = float("nan")

    found = Garage(model).scan(padded(texts, "left"))

    first = found.of_kind("non-finite values")[0]
    assert (first.place, first.members, first.amount) == ("layer_0.before", (2,), 2)
    gauge = found.gauge("layer_0.before")
    assert (gauge.tokens, gauge.fine, gauge.first) == (11, 9, 2)
    assert found.flags("layer_0.before", "texts") == ["2 NaN or infinite, the first in prompt 2"]
    later = found.gauge("layer_2")
    assert later.non_finite == 32 * 6  # of both prompts that hold it: nothing times NaN is NaN
    assert later.statistics == clean.gauge("layer_2").statistics
    assert torch.equal(later.rms, clean.gauge("layer_2").rms)


def test_a_broken_weight_is_found_where_it_first_shows() -> None:
    model = tiny("gpt2")
    with torch.no_grad():
        model.transformer.h[1].mlp.c_proj.weight[5, 3] = float("inf")

    late, garage = Garage(model).scan(RAGGED[:1]), Garage(tiny("gpt2"))
    with torch.no_grad():
        garage.model.transformer.h[1].mlp.c_proj.weight[5, 3] = float("inf")
    found = garage.scan(RAGGED[:1])

    assert late.of_kind("non-finite values")[0].place == "layer_1"  # its halves could not be proved any more
    assert "n/a: attention_1, ffn_1" in unbroken(late)
    broken = found.of_kind("non-finite values")
    assert (broken[0].place, broken[0].amount) == ("ffn_1", 11)
    assert [one.place for one in broken][:3] == ["ffn_1", "layer_1", "attention_2"]
    assert found.gauge("ffn_1").fine == 0
    assert math.isnan(found.gauge("layer_1").statistics["norm"])
    assert "–" in repr(found)
    assert found.plot("norm").axes.lines[0].get_ydata()[1] == found.gauge("layer_0").statistics["norm"]


def test_several_texts_and_models_stand_side_by_side(llama: Any) -> None:
    garage, other = Garage(llama), tiny("mixtral", layers=4)
    texts = {"odd": [RAGGED[0]], "even": padded(RAGGED[1:], "left")}

    found = garage.scan(texts, other=other)

    names = ["odd, live model", "even, live model", "odd, live model, the other", "even, live model, the other"]
    assert list(found.subjects) == names
    assert found.subjects[names[3]].gauges.keys() == Garage(other).scan(RAGGED[0]).subjects["texts"].gauges.keys()
    alone = Garage(other).scan(texts)
    for name in ("odd", "even"):
        measured = found.values("norm", f"{name}, live model, the other")
        assert [value for value in measured if not math.isnan(value)] == alone.values("norm", name)
    frame = found.frame()
    assert list(frame.index.names) == ["subject", "part"]
    assert len(frame) == 2 * len(garage.scan(RAGGED[0]).parts) + 2 * len(alone.parts)
    assert list(garage.scan(RAGGED[0], other=other).subjects) == ["live model", "live model, the other"]
    assert [column.head for column in found.picture().columns][::3] == [f"{name}: norm" for name in names]


def test_the_recipe_in_force_is_read_and_the_other_model_is_untouched(llama: Any) -> None:
    garage = Garage(llama)
    bare = garage.scan(RAGGED[0])
    garage.scale("layer_1", 0.5)

    found = garage.scan(RAGGED[0], other=tiny("llama"))

    mine, theirs = found.subjects.values()
    assert mine.gauges["layer_1"].statistics["norm"] == pytest.approx(
        bare.gauge("layer_1").statistics["norm"] / 2, rel=1e-6
    )
    assert theirs.gauges["layer_1"].statistics == bare.gauge("layer_1").statistics


@pytest.mark.filterwarnings("error::garage_nb.errors.PartsLeftOut")
def test_every_model_is_read_where_it_can_be() -> None:
    """Without attention, with experts, with two stacks, and with patterns that nobody can have: no warning."""
    gpt2, moe = (places(spec_of(tiny(family)), None) for family in ("gpt2", "mixtral"))
    assert gpt2[:5] == ["layer_0.before", "attention_0", "ffn_0.neurons", "ffn_0", "layer_0"]
    assert gpt2[5:9] == ["attention_1", "ffn_1.neurons", "ffn_1", "layer_1"]
    assert moe[:4] == ["layer_0.before", "attention_0", "ffn_0", "layer_0"]
    mamba = Garage(build(Entry("causal", "mamba", "MambaForCausalLM"))).scan([RAGGED[0]])
    assert "mixer_0" in mamba.parts
    t5 = Garage(build(Entry("seq2seq", "t5", "T5ForConditionalGeneration")))
    both = t5.scan({"input_ids": [RAGGED[0]], "decoder_input_ids": [[0, 5, 6]]})
    assert (both.gauge("encoder_layer_0").tokens, both.gauge("cross_attention_0").tokens) == (11, 3)
    assert both.gauge("cross_attention_0").sinks is None
    assert steps(both.parts)["encoder_layer_0"] == "encoder_layer_0.before"
    bloom = Garage(build(Entry("causal", "bloom", "BloomForCausalLM"))).scan([RAGGED[0]])
    assert "sinks n/a at 3 attentions" in unbroken(bloom)


def test_growth_is_told_from_the_place_before_that_was_read(llama: Any) -> None:
    found = Garage(llama).scan(RAGGED[0], layers="layer_2,layer_0,attention_*")

    lengths = {name: np.linalg.norm(_stream(llama, RAGGED[0])[name], axis=1) for name in (0, 2)}
    assert steps(found.parts) == {"layer_2": "layer_0"}
    assert found.gauge("layer_2").growth == pytest.approx((lengths[2] / lengths[0]).mean(), rel=1e-6)


def _stream(model: Any, ids: list[int]) -> dict[int, np.ndarray]:
    seen: dict[int, Any] = {}
    handles = [
        layer.register_forward_hook(lambda module, args, out, at=at: seen.__setitem__(at, out))
        for at, layer in enumerate(model.model.layers)
    ]
    with torch.no_grad():
        model(torch.tensor([ids]))
    for handle in handles:
        handle.remove()
    return {at: (one[0] if isinstance(one, tuple) else one).reshape(len(ids), -1).numpy() for at, one in seen.items()}


def test_what_cannot_be_scanned_is_refused(llama: Any) -> None:
    garage = Garage(llama)

    for name in ("outlier", "firing", "growth"):
        with pytest.raises(InputError, match=f"no threshold for {name}"):
            garage.scan(RAGGED[0], **{name: -1.0})
    with pytest.raises(InputError, match="no threshold for sink"):
        garage.scan(RAGGED[0], sink=1.5)
    with pytest.raises(InputError, match="no threshold for rare"):
        garage.scan(RAGGED[0], rare=0.0)
    with pytest.raises(InputError, match="are no threshold"):
        garage.scan(RAGGED[0], tau=-1)
    with pytest.raises(InputError, match="wide for one prompt"):
        garage.scan(padded(RAGGED, "right"), layers="attention_0.pattern")
    with pytest.raises(UnknownPartError):
        garage.scan(RAGGED[0], layers="layer_9")
    found = garage.scan(RAGGED[0])
    with pytest.raises(InputError, match="no measure 'beauty'"):
        found.plot("beauty")
    with pytest.raises(InputError, match="No mixer was read"):
        found.plot("norm", "mixer")
    with pytest.raises(InputError, match="no kind 'sinks' of anomaly"):
        found.of_kind("sinks")
    with pytest.raises(InputError, match="no subject 'law'"):
        found.gauge("layer_0", "law")
    with pytest.raises(UnknownPartError, match="was not read"):
        found.gauge("layer_9")


def test_patterns_beyond_the_budget_are_left_out_with_a_note(llama: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("garage_nb.analyze.scan.sinks.BUDGET", 4 * 4 * 11 * 11)

    found = Garage(llama).scan(padded(RAGGED, "right"))

    assert "sinks not looked for in 1 prompts" in unbroken(found)
    expected = Garage(llama).scan(padded(RAGGED[:3], "right"), layers="attention_1").gauge("attention_1").sinks
    assert found.gauge("attention_1").sinks.scores.tolist() == expected.scores.tolist()


def test_it_can_be_drawn_with_its_threshold() -> None:
    found = Garage(tiny("gpt2")).scan({"a": padded(RAGGED, "left"), "b": [RAGGED[0]]})

    axes = found.plot("growth").axes
    assert [line.get_label() for line in axes.lines] == ["a", "b", "flagged from 4"]
    assert list(axes.lines[0].get_ydata())[1:] == found.values("growth", "a", ["layer_0", "layer_1", "layer_2"])
    assert list(axes.lines[2].get_ydata()) == [4, 4]
    assert axes.get_xticklabels()[0].get_text() == "layer_0.before"
    assert len(found.plot("norm").axes.lines) == 2
    assert "0.1 σ" in found.plot("sparsity", "ffn").axes.get_ylabel().replace("\n", " ")
    assert found.plot("sink").axes.get_xticklabels()[0].get_text() == "attention_0"
    assert "neurons" in found.plot("silent").axes.get_ylabel()
    assert found.plot("growth").frame().equals(found.frame())


def test_a_large_model_shows_its_stream_and_what_was_flagged() -> None:
    model = tiny("llama", layers=18)
    with torch.no_grad():
        model.model.layers[9].mlp.down_proj.weight[7] *= 60

    found = Garage(model).scan(drawn(3))

    names = found.picture().names
    assert len(found.parts) == 18 * 4 + 1
    assert {"layer_0.before", "layer_17", "ffn_9"} <= set(names)
    assert "ffn_9.neurons" not in names
    assert f"{len(found.parts) - len(names)} more places in .frame()" in found.picture().caption
