"""Direct logit attribution: it sums to the model's own logit, and each share is what NumPy makes of that part alone."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn

from garage_nb.analyze.attribution.attribution import BIAS, ROUNDING, START, Attribution
from garage_nb.analyze.attribution.frozen import Frozen
from garage_nb.core.batch import prepare
from garage_nb.core.calling import answer, asked
from garage_nb.core.run import logits
from garage_nb.errors import GarageError, InputError, UnsupportedModelError
from garage_nb.garage import Garage
from tests.coverage.zoo import Entry, build, entries, inputs
from tests.families import FAMILIES, PROMPT, prompt, tiny
from tests.restored import left_as_it_was

CAPPED = {"gemma2": 30.0}
UNFUSED = [family for family in FAMILIES if family != "mixtral"]
# Parallel blocks, multipliers on halves and on logits, post norms, projections of another kind, a state space model.
SUMMING = [
    Entry("causal", "granite", "GraniteForCausalLM"), Entry("causal", "cohere", "CohereForCausalLM"),
    Entry("causal", "gpt_neox", "GPTNeoXForCausalLM"), Entry("causal", "opt", "OPTForCausalLM"),
    Entry("causal", "olmo2", "Olmo2ForCausalLM"), Entry("causal", "mamba", "MambaForCausalLM"),
    Entry("seq2seq", "t5", "T5ForConditionalGeneration"), Entry("causal", "gpt_oss", "GptOssForCausalLM"),
]  # fmt: skip
REFUSED = [
    Entry("masked", "bert", "BertForMaskedLM"), Entry("masked", "albert", "AlbertForMaskedLM"),
    Entry("seq2seq", "bart", "BartForConditionalGeneration"),
]  # fmt: skip


@torch.no_grad()
def own(model: Any, position: int = -1) -> torch.Tensor:
    found: torch.Tensor = model(prompt(), use_cache=False).logits[0, position].double()
    return found


def before_cap(value: float, family: str) -> float:
    cap = CAPPED.get(family)
    return value if cap is None else cap * float(np.arctanh(value / cap))


@pytest.mark.parametrize("by", ["halves", "heads", "neurons"])
@pytest.mark.parametrize("family", UNFUSED)
def test_contributions_sum_to_the_models_own_logit(family: str, by: Any) -> None:
    model = tiny(family)
    theirs = own(model)

    with left_as_it_was(model):
        found = Garage(model).attribution(PROMPT, by=by)

    aim = int(theirs.argmax())
    assert found.target == str(aim)
    assert found.cap == CAPPED.get(family, 0)
    largest = max(map(abs, found.parts.values()))
    assert sum(found.parts.values()) == pytest.approx(before_cap(float(theirs[aim]), family), abs=1e-5 * largest)
    assert abs(found.parts[ROUNDING]) <= 1e-6 * largest


@pytest.mark.parametrize("by", ["halves", "heads", "neurons"])
@pytest.mark.parametrize(("family", "tight"), [("gpt2", 1e-13), ("phi", 1e-13), ("llama", 1e-6), ("gemma2", 1e-6)])
def test_in_float64_as_exactly_as_the_norms_work(family: str, tight: float, by: Any) -> None:
    """LayerNorm works in float64 then, transformers' RMSNorm in float32 for every dtype."""
    model = tiny(family).double()
    theirs = own(model)

    found = Garage(model).attribution(PROMPT, by=by)

    largest = max(map(abs, found.parts.values()))
    assert abs(found.parts[ROUNDING]) <= tight * largest
    assert sum(found.parts.values()) == pytest.approx(before_cap(float(theirs.max()), family), abs=tight * largest)


PATHS = {"gpt2": ("transformer.h.{}.attn", "transformer.h.{}.mlp", "transformer.ln_f", "attn.c_proj"),
         "llama": ("model.layers.{}.self_attn", "model.layers.{}.mlp", "model.norm", "self_attn.o_proj"),
         "gemma2": ("model.layers.{}.post_attention_layernorm", "model.layers.{}.post_feedforward_layernorm",
                    "model.norm", "self_attn.o_proj"),
         "mixtral": ("model.layers.{}.self_attn", "model.layers.{}.mlp", "model.norm", "self_attn.o_proj")}  # fmt: skip


def seen_at(model: nn.Module, paths: list[str], side: str, position: int) -> dict[str, np.ndarray]:
    """What leaves or enters modules at one token, by hooks of the test's own."""
    found: dict[str, np.ndarray] = {}

    def keep(path: str) -> Any:
        def hook(module: Any, args: Any, output: Any = None) -> None:
            tensor = args[0] if side == "input" else output[0] if isinstance(output, tuple) else output
            found[path] = tensor.detach().reshape(-1, tensor.shape[-1])[position].double().numpy()

        return hook

    modules = {path: model.get_submodule(path) for path in paths}
    handles = [
        one.register_forward_pre_hook(keep(path)) if side == "input" else one.register_forward_hook(keep(path))
        for path, one in modules.items()
    ]
    own(model)
    for handle in handles:
        handle.remove()
    return found


def numbers(model: Any, path: str) -> np.ndarray:
    return model.get_parameter(path).detach().double().numpy()


def held_norm(model: Any, family: str, path: str, stream: np.ndarray, x: np.ndarray) -> np.ndarray:
    """The norm of `x` with the scale that it has for the stream, without its bias."""
    weight = numbers(model, f"{path}.weight") + (family == "gemma2")
    if family == "gpt2":
        return weight * (x - x.mean()) / np.sqrt(stream.var() + 1e-5)
    return weight * x / np.sqrt((stream**2).mean() + 1e-6 * (1 if family != "mixtral" else 10))


@pytest.mark.parametrize("position", [-1, 4])
@pytest.mark.parametrize("family", PATHS)
def test_every_half_adds_what_numpy_says(family: str, position: int) -> None:
    model = tiny(family)
    attention, ffn, norm, _ = PATHS[family]
    halves = {f"{kind}_{layer}": path.format(layer) for layer in range(3)
              for kind, path in (("attention", attention), ("ffn", ffn))}  # fmt: skip
    left = seen_at(model, list(halves.values()), "output", position)
    stream = seen_at(model, [norm], "input", position)[norm]
    head = model.get_output_embeddings().weight.detach().double().numpy()

    found = Garage(model).attribution(PROMPT, target=7, foil=9, position=position)

    assert (found.target, found.foil) == ("7", "9")
    for name, path in halves.items():
        expected = (head[7] - head[9]) @ held_norm(model, family, norm, stream, left[path])
        assert found.parts[name] == pytest.approx(expected, abs=1e-6)
    rest = stream - sum(left[path] for path in halves.values())
    assert found.parts[START] == pytest.approx(
        (head[7] - head[9]) @ held_norm(model, family, norm, stream, rest), abs=1e-5
    )
    if family == "gpt2":
        assert found.parts[BIAS] == pytest.approx((head[7] - head[9]) @ numbers(model, f"{norm}.bias"))


@pytest.mark.parametrize("family", ["gpt2", "llama", "gemma2", "mixtral"])
def test_every_head_adds_its_columns_of_the_projection(family: str) -> None:
    model = tiny(family)
    attention, _, norm, projection = PATHS[family]
    block = attention.rpartition(".")[0].format(1)
    path = f"{block}.{projection}"
    inner = seen_at(model, [path], "input", -1)[path]
    stream = seen_at(model, [norm], "input", -1)[norm]
    head = model.get_output_embeddings().weight.detach().double().numpy()
    weight = numbers(model, f"{path}.weight")
    weight = weight if family == "gpt2" else weight.T  # (in, out)
    width = len(inner) // 4

    found = Garage(model).attribution(PROMPT, target=7, by="heads")

    for number in range(4):
        mine = slice(number * width, (number + 1) * width)
        added = inner[mine] @ weight[mine]
        if family == "gemma2":
            whole = inner @ weight
            added = held_norm(model, family, attention.format(1), whole, added)
        expected = head[7] @ held_norm(model, family, norm, stream, added)
        assert found.parts[f"attention_1.head_{number}"] == pytest.approx(expected, abs=1e-6)


@pytest.mark.parametrize("family", UNFUSED)
def test_units_sum_to_their_part(family: str) -> None:
    garage = Garage(tiny(family))
    whole = garage.attribution(PROMPT, target=7).parts
    for by, kind in (("heads", "attention"), ("neurons", "ffn")):
        parts = garage.attribution(PROMPT, target=7, by=by).parts  # type: ignore[arg-type]
        for layer in range(3):
            mine = [value for name, value in parts.items() if name.split(".")[0].split(" ")[0] == f"{kind}_{layer}"]
            assert len(mine) >= 4
            assert sum(mine) == pytest.approx(whole[f"{kind}_{layer}"], abs=2e-6)


@pytest.mark.parametrize("entry", SUMMING, ids=str)
def test_it_sums_in_odd_ones(entry: Entry) -> None:
    model = build(entry)
    given = inputs(model)
    with torch.no_grad():
        theirs = answer(asked(model, prepare(given, model), use_cache=False)())[0, -1].double()

    found = Garage(model).attribution(given)

    largest = max(map(abs, found.parts.values()))
    assert sum(found.parts.values()) == pytest.approx(float(theirs.max()), abs=1e-5 * largest)
    assert abs(found.parts[ROUNDING]) <= 2e-6 * largest
    assert len(found.parts) >= 5


@pytest.mark.parametrize("entry", REFUSED, ids=str)
def test_norms_on_the_stream_are_refused(entry: Entry) -> None:
    model = build(entry)

    with pytest.raises(UnsupportedModelError) as caught:
        Garage(model).attribution(inputs(model))

    assert str(caught.value).count("\n") == 1


def told(ask: Callable[[], Attribution]) -> Attribution | GarageError:
    """The answer, or the refusal."""
    try:
        return ask()
    except GarageError as error:
        return error


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore::garage_nb.errors.PartsLeftOut")
@pytest.mark.parametrize("entry", [entry for entry in entries() if not entry.refused], ids=str)
def test_in_every_class_it_sums_or_is_refused(entry: Entry) -> None:
    model = build(entry)
    given = inputs(model)
    found = told(lambda: Garage(model).attribution(given))
    if isinstance(found, GarageError):
        assert str(found).count("\n") == 1
        return
    with torch.no_grad():
        theirs = answer(asked(model, prepare(given, model), use_cache=False)())[0, -1].double()
    largest = max(map(abs, found.parts.values()))
    bent = found.cap * np.tanh(found.logit / found.cap) if found.cap else found.logit
    assert bent == pytest.approx(float(theirs.max()), abs=2e-5 * max(largest, 1))
    assert abs(found.parts[ROUNDING]) <= 1e-4 * largest


@pytest.mark.parametrize("kind", ["LayerNorm", "RMSNorm"])
def test_a_held_norm_is_linear_and_the_norm_itself(kind: str) -> None:
    generator = torch.Generator().manual_seed(0)
    module = getattr(nn, kind)(12, eps=1e-5).double()
    with torch.no_grad():
        for parameter in module.parameters():
            parameter.add_(torch.randn(12, generator=generator, dtype=torch.float64))
    x, y = torch.randn(2, 12, generator=generator, dtype=torch.float64)
    direction = torch.randn(12, generator=generator, dtype=torch.float64)

    held = Frozen.at(module, x + y, "made")

    assert torch.allclose(held(x + y), module(x + y).detach(), atol=1e-12)
    assert torch.allclose(held(x) + held(y) - held.shift, held(x + y), atol=1e-12)
    assert torch.allclose(held.back(direction) @ x, direction @ (held(x) - held.shift), atol=1e-12)


@pytest.mark.parametrize("place", ["layer_1", "attention_1", "ffn_0", "embedding", "attention_1.head_2", "layer_2"])
def test_under_a_recipe_it_sums_to_the_tuned_logit(llama: Any, place: str) -> None:
    garage = Garage(llama)
    garage.scale(place, -0.5)

    found = garage.attribution(PROMPT)

    tuned = logits(llama, prepare(prompt(), llama), garage.edits.taps(garage.spec))[0, -1].double()
    assert sum(found.parts.values()) == pytest.approx(float(tuned.max()), abs=1e-5)
    assert found.target == str(int(tuned.argmax()))
    assert (f"edits of {place}" in found.parts) is place.startswith("layer")


@pytest.mark.parametrize("family", ["gpt2", "llama", "gemma2"])
@pytest.mark.parametrize(("place", "by"), [("attention_1", "heads"), ("attention_1.head_2", "heads"),
                                           ("ffn_1", "neurons"), ("ffn_1.neuron_3", "neurons")])  # fmt: skip
def test_so_it_does_by_units(family: str, place: str, by: Any) -> None:
    """What is done behind the units is a row of its own; what is done to a unit is in the unit."""
    model = tiny(family)
    garage = Garage(model)
    untouched = garage.attribution(PROMPT, target=7, by=by).parts
    garage.scale(place, -0.5)

    found = garage.attribution(PROMPT, target=7, by=by)

    tuned = logits(model, prepare(prompt(), model), garage.edits.taps(garage.spec))[0, -1].double()
    assert sum(found.parts.values()) == pytest.approx(before_cap(float(tuned[7]), family), abs=1e-5)
    assert abs(found.parts[ROUNDING]) < 1e-5
    assert (f"edits of {place}" in found.parts) is ("." not in place)
    assert found.parts.get(place) != untouched.get(place) or "." not in place


def test_edits_behind_the_blocks_are_refused(llama: Any) -> None:
    for place in ("layer_norm_final", "output_head"):
        garage = Garage(llama)
        garage.through(place, lambda hidden: hidden + hidden.roll(1, -1))
        with pytest.raises(UnsupportedModelError, match="Take back edits"):
            garage.attribution(PROMPT)


def test_a_hook_of_the_users_that_changes_the_stream_is_not_hidden(llama: Any) -> None:
    garage = Garage(llama)
    llama.model.layers[1].register_forward_hook(lambda module, args, output: output * 1.5)

    with pytest.raises(UnsupportedModelError, match="not the sum"):
        garage.attribution(PROMPT)


def test_the_capital_is_written_by_the_last_blocks() -> None:
    garage = Garage("showroom")

    found = garage.attribution("The capital of France is", target=" Paris", foil=" Rome")

    assert found.largest(1)[0][0].startswith("ffn")
    assert found.logit > 5
    assert f"{found.logit:.4g}" in repr(found)
    assert found.frame()["share"].sum() == pytest.approx(1)


def test_what_cannot_be_attributed_is_refused(gpt2: Any) -> None:
    garage = Garage(gpt2)

    with pytest.raises(InputError, match="halves, heads, neurons"):
        garage.attribution(PROMPT, by="experts")  # type: ignore[arg-type]
    with pytest.raises(InputError, match="no token 10 in"):
        garage.attribution(PROMPT, position=10)
    with pytest.raises(InputError, match="Ids are 0 to 63"):
        garage.attribution(PROMPT, target=64)
    with pytest.raises(InputError, match="no tokenizer"):
        garage.attribution(PROMPT, target=" Paris")
    with pytest.raises(InputError, match="One prompt"):
        garage.attribution([[1, 2], [3, 4]])
    with pytest.raises(InputError, match="by halves"):
        Garage(tiny("mixtral")).attribution(PROMPT, by="neurons")
    with pytest.raises(UnsupportedModelError, match="no output head"):
        Garage(gpt2.transformer).attribution(PROMPT)


def test_it_can_be_drawn(gpt2: Any) -> None:
    found = Garage(gpt2).attribution(PROMPT, by="neurons")

    assert isinstance(found, Attribution)
    drawn = found.plot()
    assert sorted(drawn.axes.get_lines()[0].get_ydata()) == sorted(value for _, value in found.largest(40))
    assert "logits" in drawn.axes.get_ylabel()
    assert len(found.frame()) == len(found.parts)
    assert "smaller ones" in repr(found)
