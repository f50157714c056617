"""Which tokens an edit touches: against a plain hook on an unpadded prompt, every token run again at every step."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest
import torch
from torch import Tensor

from garage_nb.core.batch import prepare
from garage_nb.core.generate import generate
from garage_nb.core.run import logits
from garage_nb.errors import EditError
from garage_nb.inject.edits import Add, Scale
from garage_nb.inject.layer import LayerInjector
from garage_nb.inject.recipe import Recipe
from garage_nb.registry.decompose import spec_of
from tests.families import tiny

LONG, SHORT = [3, 1, 4, 1, 5, 9, 2], [6, 53, 58, 20]
SPANS = ["all", "prompt", "generated", "not_first", "0", "-1", "1,-1", "1:3", "-2:", ":2", "3:9"]
STEPS = 4
EXACT = {"rtol": 0, "atol": 1e-9}  # of models in float64
GREEDY: dict[str, Any] = {"max_new_tokens": STEPS, "eos_token_id": None, "do_sample": False, "pad_token_id": 2}

CHANGES: dict[str, dict[str, Any]] = {
    "opt": {"ffn_dim": 64, "word_embed_proj_dim": 32},
}
PLACES = {  # a place, and of which columns of what leaves or enters which module it is
    "gpt2 layer": ("gpt2", "layer_1", "transformer.h.1", "output", slice(None)),
    "llama layer": ("llama", "layer_1", "model.layers.1", "output", slice(None)),
    "llama attention": ("llama", "attention_1", "model.layers.1.self_attn", "output", slice(None)),
    "llama head": ("llama", "attention_1.head_2", "model.layers.1.self_attn.o_proj", "input", slice(16, 24)),
    "gemma3 ffn": ("gemma3_text", "ffn_1", "model.layers.1.post_feedforward_layernorm", "output", slice(None)),
    "gpt2 neurons": ("gpt2", "ffn_0.neurons", "transformer.h.0.mlp.c_proj", "input", slice(None)),
    "opt neurons": ("opt", "ffn_1.neurons", "model.decoder.layers.1.fc2", "input", slice(None)),
    "opt ffn": ("opt", "ffn_1", "model.decoder.layers.1.fc2", "output", slice(None)),
    "mixtral experts": ("mixtral", "ffn_1.experts", "model.layers.1.mlp.experts", "output", slice(None)),
}
LIKE_OTHERS = {"llama layer", "llama attention", "gpt2 neurons", "opt ffn"}
every_place = pytest.mark.parametrize(
    "case", [pytest.param(case, marks=pytest.mark.slow) if case in LIKE_OTHERS else case for case in PLACES]
)
every_span = pytest.mark.parametrize("span", SPANS)


def model_for(case: str) -> Any:
    family = PLACES[case][0]
    model = tiny(family, layers=2, **CHANGES.get(family, {})).double()
    if family == "mixtral":
        model.set_experts_implementation("eager")  # the grouped product knows no float64
    return model


def touched(span: str, prompt: int, total: int) -> list[int]:
    """By counting."""
    known = {
        "all": range(total), "prompt": range(prompt), "generated": range(prompt, total), "not_first": range(1, total),
    }  # fmt: skip
    if span in known:
        return list(known[span])
    found: set[int] = set()
    for piece in span.split(","):
        start, colon, stop = piece.partition(":")
        first = int(start or 0) + (prompt if start.startswith("-") else 0)
        last = first + 1 if not colon else int(stop) if stop else total
        found |= set(range(max(first, 0), min(last, total)))
    return sorted(found)


@contextmanager
def plain_hook(model: Any, case: str, places: list[int]) -> Iterator[None]:
    """torch's own, for one unpadded text: the columns are multiplied by −2 at some tokens, whatever the layout."""
    _, _, path, side, columns = PLACES[case]

    def change(hidden: Tensor) -> Tensor:
        changed = hidden.clone()
        changed.view(-1, hidden.shape[-1])[places, columns] *= -2
        return changed

    def leaving(module: Any, args: Any, output: Any) -> Any:
        return (change(output[0]), *output[1:]) if isinstance(output, tuple) else change(output)

    module = model.get_submodule(path)
    if side == "output":
        handle = module.register_forward_hook(leaving)
    else:
        handle = module.register_forward_pre_hook(lambda module, args: (change(args[0]), *args[1:]))
    yield
    handle.remove()


@torch.no_grad()
def by_hand(model: Any, case: str, ids: list[int], span: str, steps: int = 0) -> tuple[list[int], Tensor]:
    """Ids written, and the logits of every token at the end; nothing is cached and nothing is padded."""
    prompt = len(ids)
    while True:
        with plain_hook(model, case, touched(span, prompt, len(ids))):
            answer = model(torch.tensor([ids]), use_cache=False).logits[0]
        if len(ids) == prompt + steps:
            return ids, answer
        ids = [*ids, int(answer[-1].argmax())]


def padded(side: str) -> dict[str, Tensor]:
    gap = len(LONG) - len(SHORT)
    row, mask = [0] * gap, [0] * gap
    short = row + SHORT if side == "left" else SHORT + row
    real = mask + [1] * len(SHORT) if side == "left" else [1] * len(SHORT) + mask
    return {"input_ids": torch.tensor([LONG, short]), "attention_mask": torch.tensor([[1] * len(LONG), real])}


def taps(model: Any, case: str, span: str) -> Any:
    return Recipe((Scale(PLACES[case][1], -2.0, tokens=span),)).taps(spec_of(model))  # type: ignore[arg-type]


@every_span
@every_place
@pytest.mark.parametrize("side", ["left", "right"])
def test_a_padded_row_is_the_prompt_alone(case: str, span: str, side: str) -> None:
    model = model_for(case)

    found = logits(model, prepare(padded(side), model), taps(model, case, span))

    real = padded(side)["attention_mask"].bool()
    for row, mask, ids in zip(found, real, (LONG, SHORT), strict=True):
        torch.testing.assert_close(row[mask], by_hand(model, case, ids, span)[1], **EXACT)


@every_span
@every_place
def test_generation_with_a_cache_is_every_token_run_again(case: str, span: str) -> None:
    model, batch = model_for(case), padded("left")

    together = generate(model, prepare(batch, model), taps(model, case, span), **GREEDY)
    alone = generate(model, prepare([SHORT], model), taps(model, case, span), **GREEDY)

    assert together[0].tolist() == by_hand(model, case, LONG, span, STEPS)[0]
    assert together[1, len(LONG) - len(SHORT) :].tolist() == by_hand(model, case, SHORT, span, STEPS)[0]
    assert alone[0].tolist() == by_hand(model, case, SHORT, span, STEPS)[0]


@every_span
@pytest.mark.parametrize("case", ["llama layer", "gpt2 neurons", "opt neurons"])
def test_the_models_own_generate_under_an_injector(case: str, span: str) -> None:
    """The logits of every step, too; the injector is told nothing of the prompts and reads them off the calls."""
    model, batch = model_for(case), padded("left")
    options = {**GREEDY, "output_logits": True, "return_dict_in_generate": True}

    with LayerInjector(model) as injector:
        injector.add(Scale(PLACES[case][1], -2.0, tokens=span))  # type: ignore[arg-type]
        answers = [model.generate(**batch, **options) for _ in range(2)]

    for answer in answers:
        for row, ids in enumerate((LONG, SHORT)):
            _, expected = by_hand(model, case, ids, span, STEPS - 1)
            steps = torch.stack([step[row] for step in answer.logits])  # in float32, whatever the model's dtype is
            torch.testing.assert_close(steps, expected[len(ids) - 1 :].float(), rtol=1e-6, atol=1e-6)


@every_span
@every_place
def test_tokens_before_the_first_touched_keep_every_bit(case: str, span: str) -> None:
    model = model_for(case)
    first = min(touched(span, len(LONG), len(LONG)), default=len(LONG))

    bare, edited = (logits(model, prepare([LONG], model), some) for some in ((), taps(model, case, span)))

    assert torch.equal(edited[:, :first], bare[:, :first])
    assert first == len(LONG) or not torch.equal(edited[:, first:], bare[:, first:])


@pytest.mark.parametrize("side", ["left", "right"])
def test_padding_keeps_its_bits(llama: Any, side: str) -> None:
    """At the place itself, where an edit of all tokens would be seen."""
    seen: dict[str, Tensor] = {}
    batch = prepare(padded(side), llama)
    for name, factor in (("bare", 1.0), ("edited", 5.0)):
        llama.model.layers[2].register_forward_pre_hook(lambda module, args, name=name: seen.update({name: args[0]}))
        logits(llama, batch, Recipe((Scale("layer_1", factor),)).taps(spec_of(llama)))
        llama.model.layers[2]._forward_pre_hooks.clear()

    padding = ~padded(side)["attention_mask"].bool()
    assert torch.equal(seen["edited"][padding], seen["bare"][padding])
    assert torch.equal(seen["edited"][~padding], seen["bare"][~padding] * 5)


SEQ2SEQ: dict[str, dict[str, Any]] = {
    "t5": {"d_model": 32, "d_kv": 8, "num_heads": 4, "d_ff": 64, "num_decoder_layers": 2, "decoder_start_token_id": 0},
    "bart": {
        "d_model": 32, "encoder_layers": 2, "decoder_layers": 2, "encoder_attention_heads": 4,
        "decoder_attention_heads": 4, "encoder_ffn_dim": 64, "decoder_ffn_dim": 64, "forced_eos_token_id": None,
        "decoder_start_token_id": 3,
    },
}  # fmt: skip
BLOCKS = {
    ("t5", "encoder_layer_0"): "encoder.block.0", ("t5", "layer_0"): "decoder.block.0",
    ("bart", "encoder_layer_0"): "model.encoder.layers.0", ("bart", "layer_0"): "model.decoder.layers.0",
}  # fmt: skip
WRITTEN = [3, 7, 8]


def seq2seq(family: str) -> Any:
    from transformers import AutoConfig, AutoModelForSeq2SeqLM

    common = {"vocab_size": 64, "num_layers": 2, "pad_token_id": 0, "eos_token_id": 1, "max_position_embeddings": 64}
    config = AutoConfig.for_model(family, **{**common, **SEQ2SEQ[family]})
    with torch.random.fork_rng():
        torch.manual_seed(0)
        model = AutoModelForSeq2SeqLM.from_config(config)
        for parameter in model.parameters():
            parameter.data = torch.randn_like(parameter) * 0.3
    return model.double().eval()


@torch.no_grad()
def seq2seq_by_hand(model: Any, path: str, ids: list[int], written: list[int], places: list[int]) -> Tensor:
    def change(module: Any, args: Any, output: Any) -> Any:
        hidden = (output[0] if isinstance(output, tuple) else output).clone()
        hidden[:, places] *= -2
        return (hidden, *output[1:]) if isinstance(output, tuple) else hidden

    handle = model.get_submodule(path).register_forward_hook(change)
    answer = model(input_ids=torch.tensor([ids]), decoder_input_ids=torch.tensor([written]), use_cache=False).logits[0]
    handle.remove()
    return answer


@pytest.mark.parametrize("span", SPANS)
@pytest.mark.parametrize(("family", "place"), BLOCKS)
def test_an_encoder_has_its_own_tokens_and_so_has_a_decoder(family: str, place: str, span: str) -> None:
    model, path = seq2seq(family), BLOCKS[family, place]
    given = {**padded("right"), "decoder_input_ids": torch.tensor([WRITTEN, WRITTEN])}
    recipe = Recipe((Scale(place, -2.0, tokens=span),))  # type: ignore[arg-type]

    found = logits(model, prepare(given, model), recipe.taps(spec_of(model)))

    for row, ids in zip(found, (LONG, SHORT), strict=True):
        length = len(ids) if place.startswith("encoder") else len(WRITTEN)
        expected = seq2seq_by_hand(model, path, ids, WRITTEN, touched(span, length, length))
        torch.testing.assert_close(row, expected, **EXACT)


@pytest.mark.parametrize("span", ["all", "prompt", "generated", "0", "not_first"])
@pytest.mark.parametrize(("family", "place"), BLOCKS)
def test_an_encoder_decoder_writes_as_if_every_token_were_run_again(family: str, place: str, span: str) -> None:
    """What a decoder starts from is its prompt."""
    model, path = seq2seq(family), BLOCKS[family, place]
    batch = prepare(padded("right"), model)
    options = {**GREEDY, "pad_token_id": 0}

    for row, ids in enumerate((LONG, SHORT)):
        batch = prepare([ids], model)
        found = generate(model, batch, Recipe((Scale(place, -2.0, tokens=span),)).taps(spec_of(model)), **options)  # type: ignore[arg-type]

        written = [int(model.config.decoder_start_token_id)]
        for _ in range(STEPS):
            encodes = place.startswith("encoder")
            prompt, total = (len(ids), len(ids)) if encodes else (1, len(written))
            answer = seq2seq_by_hand(model, path, ids, written, touched(span, prompt, total))
            written.append(int(answer[-1].argmax()))
        assert found[0].tolist() == written, row


def test_tokens_are_said_as_a_text_or_a_number() -> None:
    assert Scale("layer_0", 2, tokens="prompt") == Scale("layer_0", 2, tokens=Scale("x", 1, tokens="prompt").tokens)  # type: ignore[arg-type]
    assert str(Scale("layer_0", 2, tokens=-1)) == "scale layer_0 2 --tokens -1"  # type: ignore[arg-type]
    with pytest.raises(EditError, match="'some' says no tokens"):
        Scale("layer_0", 2, tokens="some")  # type: ignore[arg-type]


def test_tokens_of_a_module_called_alone_cannot_be_told(llama: Any) -> None:
    hidden = torch.randn(1, 3, 32)
    with LayerInjector(llama) as injector:
        injector.add(Add("ffn_1", 1.0, tokens="0"))  # type: ignore[arg-type]

        with pytest.raises(EditError, match="add ffn_1 1 --tokens 0' means cannot"):
            llama.model.layers[1].mlp(hidden)
