"""Every cell of a patch grid is one forward with the clean run's rows put in by hand."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import Tensor

from garage_nb.analyze.causal.contrast import Span
from garage_nb.analyze.causal.gradients import estimated
from garage_nb.analyze.causal.metrics import Goal, Metric, metric_of
from garage_nb.analyze.causal.patch_grid import PatchGrid
from garage_nb.analyze.causal.patching import patching
from garage_nb.analyze.texts.prompts import single_prompt
from garage_nb.core.cancel import cancellable
from garage_nb.errors import CancelledError, InputError, UnknownPartError, UnsupportedModelError
from garage_nb.garage import Garage
from garage_nb.inject.edits import Noise, Scale, Through
from garage_nb.inject.recipe import Recipe
from tests.analyze.naive import hooked, last_logits, patched, state
from tests.coverage.zoo import Entry, build
from tests.families import tiny
from tests.restored import hooks_on, left_as_it_was

CLEAN, CORRUPT = [3, 1, 4, 1, 5, 9, 2, 6], [3, 1, 7, 1, 5, 8, 2, 6]
TARGET, FOIL = 5, 9
EACH = [Span(str(at)) for at in range(len(CORRUPT))]
PARTS = "layer_*,attention_*,ffn_*"
FRANCE, JAPAN = "The capital of France is", "The capital of Japan is"


def grid(model: Any, parts: str = PARTS, recipe: Recipe | None = None, **options: Any) -> PatchGrid:
    asked = {"clean": CLEAN, "corrupt": CORRUPT, "target": TARGET, "foil": FOIL, **options}
    return patching(Garage(model).lifted, recipe=recipe or Recipe(), parts=parts, **asked)


def difference(logits: Tensor) -> float:
    return float(logits[TARGET] - logits[FOIL])


def naive(model: Any, parts: tuple[str, ...], spans: list[slice]) -> Tensor:
    rows = {name: state(model, CLEAN, name) for name in parts}
    cells = [[difference(patched(model, CORRUPT, name, rows[name], at)) for at in spans] for name in parts]
    return torch.tensor(cells, dtype=torch.float64)


def singles(count: int = len(CLEAN)) -> list[slice]:
    return [slice(at, at + 1) for at in range(count)]


@pytest.mark.parametrize("family", ["gpt2", "llama", "gemma2", "mixtral", "phi"])
def test_every_cell_is_a_forward_of_its_own(family: str) -> None:
    model = tiny(family)

    with left_as_it_was(model):
        found = grid(model)

    expected = naive(model, found.parts, singles())
    assert found.values is not None
    assert found.values.shape == (1, 9, 8)
    torch.testing.assert_close(found.shown, expected, rtol=1e-5, atol=1e-5)
    assert len(found.values.unique()) > 20


@pytest.mark.parametrize("family", ["gpt2", "llama", "gemma2"])
@pytest.mark.parametrize(("tokens", "at"), [("all", slice(None)), ("-1", slice(-1, None)), ("2:6", slice(2, 6))])
def test_heads_at_several_tokens_at_once(family: str, tokens: str, at: slice) -> None:
    model = tiny(family)

    found = grid(model, "attention_*.head_*", tokens=tokens)

    expected = naive(model, found.parts, [at])
    assert found.values is not None
    torch.testing.assert_close(found.values[0], expected, rtol=1e-5, atol=1e-5)
    assert found.values.shape == (1, 12, 1)


def test_the_baselines_are_the_bare_model(llama: Any) -> None:
    found = grid(llama, "layer_0")

    assert found.contrast.of_clean == pytest.approx(difference(last_logits(llama, CLEAN)), abs=1e-5)
    assert found.contrast.of_corrupt == pytest.approx(difference(last_logits(llama, CORRUPT)), abs=1e-5)
    span = found.contrast.of_clean - found.contrast.of_corrupt
    torch.testing.assert_close(found.recovery, (found.shown - found.contrast.of_corrupt) / span)


@pytest.mark.parametrize("family", ["gpt2", "llama", "gemma2"])
def test_the_whole_stream_brings_everything_back_and_the_tokens_in_common_nothing(family: str) -> None:
    model = tiny(family)

    whole, each = grid(model, "layer_*", tokens="all"), grid(model, "layer_*")

    assert whole.recovery == pytest.approx(torch.ones(3, 1).double(), abs=1e-5)
    assert each.recovery[:, :2] == pytest.approx(torch.zeros(3, 2).double(), abs=1e-5)  # read before they differ
    assert float(each.recovery[-1, -1]) == pytest.approx(1, abs=1e-5)


@pytest.mark.parametrize("mask", ["left", "right"])
def test_padding_changes_nothing(llama: Any, mask: str) -> None:
    pad, real = [[2] * 3, [0] * 3], [[1] * 8]
    sides = {"left": (lambda ids, row: row + ids), "right": (lambda ids, row: ids + row)}
    join = sides[mask]
    given = [{"input_ids": [join(ids, pad[0])], "attention_mask": [join(real[0], pad[1])]} for ids in (CLEAN, CORRUPT)]

    found = grid(llama, clean=given[0], corrupt=given[1])

    assert torch.equal(found.values, grid(llama).values)  # type: ignore[arg-type]


def test_the_recipe_is_in_force_in_both_runs_and_in_every_cell(llama: Any) -> None:
    recipe = Recipe((Scale("attention_0", 0.3), Noise("layer_1", 0.2, 5)))

    found = grid(llama, "layer_0,layer_1,ffn_2", recipe)

    untouched = grid(llama, "layer_0,layer_1,ffn_2")
    with hooked(llama, "attention_0", lambda hidden: 0.3 * hidden):
        rows = state(llama, CLEAN, "ffn_2")
        logits = patched(llama, CORRUPT, "ffn_2", rows, slice(5, 6))
    assert found.contrast.of_clean != untouched.contrast.of_clean
    again = grid(llama, "ffn_2", Recipe((Scale("attention_0", 0.3),)))
    assert float(again.shown[0, 5]) == pytest.approx(difference(logits), abs=1e-5)
    assert float(grid(llama, "layer_1", recipe, tokens="all").recovery) == pytest.approx(1, abs=1e-5)


OTHER = [*CORRUPT[:-1], 53]  # so unlike that ranks differ
METRICS = ["logit_difference", "probability", "log_probability", "rank", "divergence"]


@pytest.mark.parametrize("metric", METRICS)
def test_every_metric_cell_by_cell(llama: Any, metric: str) -> None:
    clean = last_logits(llama, CLEAN)
    gained = clean - last_logits(llama, OTHER)
    target, foil = int(gained.argmax()), int(gained.argmin())

    found = grid(llama, "layer_1,ffn_0", metric=metric, corrupt=OTHER, target=target, foil=foil)

    by_hand = {
        "logit_difference": lambda one: one[target] - one[foil],
        "probability": lambda one: one.softmax(-1)[target],
        "log_probability": lambda one: one[target] - one.logsumexp(-1),
        "rank": lambda one: torch.tensor(sorted(one.tolist(), reverse=True).index(float(one[target])) + 1),
        "divergence": lambda one: torch.nn.functional.kl_div(
            one.log_softmax(-1), clean.log_softmax(-1), reduction="sum", log_target=True
        ),
    }[metric]
    for row, name in enumerate(found.parts):
        rows = state(llama, CLEAN, name)
        for at in range(len(CLEAN)):
            expected = float(by_hand(patched(llama, OTHER, name, rows, slice(at, at + 1))))
            assert float(found.shown[row, at]) == pytest.approx(expected, rel=1e-5, abs=1e-5)
    assert found.contrast.of_clean == pytest.approx(float(by_hand(clean)), abs=1e-5)


def test_a_metric_of_ones_own(llama: Any) -> None:
    def five_over_nine(logits: Tensor) -> Tensor:
        return logits[:, 5] - logits[:, 9]

    found = grid(llama, metric=five_over_nine, target=None, foil=None)

    assert found.contrast.label == "five_over_nine"
    torch.testing.assert_close(found.shown, grid(llama).shown)


def test_the_estimate_is_the_first_order_of_the_grid(gpt2: Any) -> None:
    """In double precision, with a clean run so near the corrupt one that higher orders vanish."""
    model, lifted = gpt2.double(), Garage(gpt2).lifted
    names = ("layer_0", "attention_1", "attention_1.head_2", "ffn_2")
    moved = {name: nearly(state(model, CORRUPT, name)) for name in names}

    found = estimated(lifted, single_prompt(CORRUPT, lifted, "corrupt"), Recipe(), moved, EACH, margin(model))

    base = difference(last_logits(model, CORRUPT))
    for row, name in enumerate(names):
        for at, one in enumerate(singles()):
            exact = difference(patched(model, CORRUPT, name, moved[name], one)) - base
            assert float(found[row, at]) - base == pytest.approx(exact, rel=1e-3, abs=1e-11)


def nearly(hidden: Tensor) -> Tensor:
    drawn = torch.randn(hidden.shape, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    return hidden + 1e-6 * drawn


def margin(model: Any) -> Metric:
    return metric_of("logit_difference", Goal(TARGET, FOIL, last_logits(model, CLEAN)), "a", "b")


@pytest.mark.parametrize("family", ["gpt2", "llama", "gemma2", "mixtral", "phi"])
@pytest.mark.parametrize("name", ["layer_0", "attention_1", "attention_1.head_2", "ffn_2"])
def test_the_estimate_is_gradient_times_difference(family: str, name: str) -> None:
    """Torch's own gradient of a tensor that a hook adds."""
    model = tiny(family)
    added = torch.zeros_like(state(model, CORRUPT, name), requires_grad=True)
    with hooked(model, name, lambda hidden: hidden + added):
        logits = model(torch.tensor([CORRUPT]), use_cache=False).logits[0, -1]
        (slope,) = torch.autograd.grad(logits[TARGET] - logits[FOIL], added)
    by_hand = (slope * (state(model, CLEAN, name) - state(model, CORRUPT, name))).sum(-1)

    found = grid(model, name, method="attribution")

    torch.testing.assert_close(found.shown[0] - found.contrast.of_corrupt, by_hand.double(), rtol=1e-3, atol=2e-6)
    assert float(by_hand.abs().max()) > 5e-4


@pytest.mark.parametrize("trained", [True, False])
def test_estimating_leaves_the_model_as_it_was(llama: Any, trained: bool) -> None:
    """Also where weights have gradients already, or none may be taken of them."""
    for weight in llama.parameters():
        weight.requires_grad_(trained)
        weight.grad = torch.ones_like(weight) if trained else None
    llama.train()
    bare = last_logits(llama, CLEAN)

    with left_as_it_was(llama), torch.no_grad():
        found = grid(llama, method="both")

    assert torch.equal(last_logits(llama, CLEAN), bare)
    assert all(module.training for module in llama.modules())
    assert [weight.requires_grad for weight in llama.parameters()] == [trained] * len(list(llama.parameters()))
    if trained:
        assert all(bool((weight.grad == 1).all()) for weight in llama.parameters())
    else:
        assert all(weight.grad is None for weight in llama.parameters())
    assert found.estimate is not None
    assert not found.estimate.requires_grad


def test_the_correlation_is_pearsons(llama: Any) -> None:
    numpy = pytest.importorskip("numpy")

    found = grid(llama, method="both")

    assert found.values is not None
    assert found.estimate is not None
    expected = numpy.corrcoef(found.values.numpy().ravel(), found.estimate.numpy().ravel())[0, 1]
    assert found.correlation == pytest.approx(float(expected), abs=1e-12)
    torch.testing.assert_close(grid(llama, method="attribution").estimate, found.estimate)
    torch.testing.assert_close(grid(llama).values, found.values)


def test_a_residual_multiplier_is_counted_once() -> None:
    """Granite scales what its halves add; what is patched is what is added."""
    model = build(Entry("causal", "granite", "GraniteForCausalLM")).double()

    near = grid(model, "attention_*", method="both", clean=CLEAN, corrupt=[*CLEAN[:-1], 7])
    exact = grid(model, "attention_*", clean=CLEAN, corrupt=[*CLEAN[:-1], 7])

    torch.testing.assert_close(near.values, exact.values)
    assert near.correlation > 0.9


def test_the_showrooms_country_is_at_the_last_token() -> None:
    garage = Garage("showroom")

    found = patching(garage.lifted, FRANCE, JAPAN, Recipe(), "layer_*", method="both")

    assert found.contrast.label == "logit of ' Paris' − logit of ' Tokyo'"
    assert [span.name for span in found.spans][4] == "' France' for ' Japan'"
    assert found.best(1)[0][1] == "5"
    assert float(found.recovery[0, 5]) > 0.9
    assert float(found.recovery[:, :4].abs().max()) < 1e-5
    assert found.correlation > 0.9


def test_an_encoders_parts_are_patched_at_its_own_tokens() -> None:
    model = build(Entry("seq2seq", "t5", "T5ForConditionalGeneration"))
    given = [{"input_ids": [ids], "decoder_input_ids": [[3, 5, 7]]} for ids in (CLEAN, CORRUPT)]

    encoder = grid(model, "encoder_layer_*", clean=given[0], corrupt=given[1], metric="divergence")
    decoder = grid(model, "layer_*", clean=given[0], corrupt=given[1], metric="divergence")

    assert encoder.shown.shape[1] == 8
    assert decoder.shown.shape[1] == 3
    assert float(encoder.contrast.of_clean) == pytest.approx(0, abs=1e-9)
    with pytest.raises(InputError, match="different tokens"):
        grid(model, "encoder_layer_0,layer_0", clean=given[0], corrupt=given[1])


REFUSED = {
    "lengths": ({"corrupt": CORRUPT[:5]}, InputError, "8 tokens, the corrupt one 5"),
    "same": ({"corrupt": CLEAN}, InputError, "nothing to bring back"),
    "metric": ({"metric": "logit_diff"}, InputError, "no metric 'logit_diff'"),
    "no metric": ({"metric": 3}, InputError, "kind int"),
    "one token": ({"target": 5, "foil": 5}, InputError, "both '5'"),
    "token": ({"target": 999}, InputError, "no token 999"),
    "method": ({"method": "exakt"}, InputError, "no method 'exakt'"),
    "gradient": ({"method": "both", "metric": "rank"}, InputError, "rank has no gradient"),
    "part": ({"parts": "attention_1.head_9"}, UnknownPartError, "no part"),
    "pattern": ({"parts": "attention_1.q"}, InputError, "not one row a token"),
    "several": ({"clean": [CLEAN, CLEAN]}, InputError, "2 clean and 1 corrupt prompts"),
    "hole": ({"clean": {"input_ids": [CLEAN], "attention_mask": [[1, 1, 0, 1, 1, 1, 1, 1]]}}, InputError, "inside"),
    "shape": ({"metric": lambda logits: logits.sum()}, InputError, r"Return one number a row|made \(\)"),
    "tokens": ({"tokens": "99"}, Exception, "99"),
}


@pytest.mark.parametrize("case", REFUSED)
def test_what_cannot_be_patched_is_refused_in_two_lines(llama: Any, case: str) -> None:
    options, kind, message = REFUSED[case]

    with pytest.raises(kind, match=message) as caught:
        grid(llama, **options)

    assert str(caught.value).count("\n") == 1
    assert hooks_on(llama) == {}
    assert torch.is_grad_enabled()


def test_an_unknown_metric_names_all_there_are(llama: Any) -> None:
    with pytest.raises(InputError) as caught:
        grid(llama, metric="probabilty")

    assert all(name in caught.value.hint for name in METRICS)
    assert caught.value.hint.startswith("Nearest: probability")


def test_a_model_without_attention_says_what_it_has() -> None:
    model = build(Entry("causal", "mamba", "MambaForCausalLM"))

    with pytest.raises(UnknownPartError, match="attention") as caught:
        grid(model, "attention_*")

    assert "layer" in caught.value.hint
    assert grid(model, "layer_*").shown.shape == (3, 8)


def test_a_way_back_without_a_gradient_is_refused(llama: Any) -> None:
    class Rounded(torch.autograd.Function):
        @staticmethod
        def forward(ctx: Any, hidden: Tensor) -> Tensor:
            return hidden.clone()

        @staticmethod
        def backward(ctx: Any, gradient: Tensor) -> Tensor:
            raise RuntimeError("no way back")

    recipe = Recipe((Through("layer_1", Rounded.apply),))
    with left_as_it_was(llama), pytest.raises(UnsupportedModelError, match="no way back"):
        grid(llama, "layer_0", recipe, method="attribution")


def test_it_can_be_cancelled(llama: Any) -> None:
    with left_as_it_was(llama), cancellable() as cancel:
        cancel.ask()
        with pytest.raises(CancelledError):
            grid(llama)


def test_frame_and_plots(llama: Any) -> None:
    found, heads = grid(llama, method="both"), grid(llama, "attention_*.head_*", tokens="-1")

    frame = found.frame()
    assert frame.shape == (72, 7)
    assert frame.loc[("layer_1", "5"), "recovery"] == float(found.recovery[1, 5])
    assert frame.loc[("layer_1", "5"), ["clean_token", "corrupt_token"]].tolist() == ["9", "8"]
    assert found.plot().axes.images[0].get_array().shape == (9, 8)
    assert found.plot("estimate").axes.images[0].get_array()[1, 5] == float(found.estimate[0, 1, 5])  # type: ignore[index]
    squares = heads.plot().axes.images[0].get_array()
    assert squares.shape == (3, 4)
    assert squares[2, 1] == float(heads.recovery[9, 0])
    with pytest.raises(InputError, match="no 'size'"):
        found.plot("size")
    with pytest.raises(InputError, match="not asked for"):
        heads.plot("estimate")
    with pytest.raises(InputError, match="not asked for"):
        _ = heads.correlation
