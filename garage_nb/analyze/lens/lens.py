"""Logit lens: what the model would say if it stopped after this layer, token by token.

The hidden states go through all that the model itself does after its last block (core/tail), so the row of the last
layer is the model's own answer. Layers are read one at a time: logits of two of them are there at once, never of all.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from torch import Tensor

from ...core import room
from ...core.batch import Batch, Prompt
from ...core.parts import parse
from ...core.sites import Tap
from ...core.tail import Whole, tail, whole, width_at_end
from ...errors import InputError, UnsupportedModelError
from ...registry.lift import Lifted
from ...registry.selecting import Selector
from ...registry.specs import ModelSpec
from ..texts.prompt import Words, one_prompt, read_ids, said
from .answer import Lens
from .predictions import Predictions, predictions
from .translators import Translators, translators

TOP = 5
BUDGET = 1 << 31  # bytes of hidden states and logits that are there at once


def lens(
    lifted: Lifted,
    prompt: Prompt,
    edits: Sequence[Tap] = (),
    layers: Selector = "layer_*",
    *,
    top: int = TOP,
    target: str | int | None = None,
    tuned: Prompt | Translators | None = None,
) -> Lens:
    """All layers asked for, read one after the other. `target` is a text that is one token, or a token's id; `tuned`
    are texts to fit an affine map a layer on, or such maps.
    """
    *_, last = lenses(lifted, prompt, edits, layers, top=top, target=target, tuned=tuned)
    return last


def lenses(
    lifted: Lifted,
    prompt: Prompt,
    edits: Sequence[Tap] = (),
    layers: Selector = "layer_*",
    *,
    top: int = TOP,
    target: str | int | None = None,
    tuned: Prompt | Translators | None = None,
) -> Iterator[Lens]:
    """The same, layer by layer from the output down: each answer holds those read so far."""
    spec, words = lifted.spec, Words(lifted.tokenizer)
    names = _demand_stream(spec, layers)
    _demand_head(lifted)
    if not 1 <= top <= spec.vocab_size:
        raise InputError(f"{top} tokens cannot be shown.", f"Ask for 1 to {spec.vocab_size:,}.")
    aim = words.number(target) if isinstance(target, str) else target
    batch = one_prompt(prompt, lifted)
    ids = read_ids(batch).tolist()
    _demand_room(lifted, len(names), len(ids))
    done = _whole(lifted, batch, edits, names)
    maps = _translators(lifted, edits, names, tuned)
    followed = int(done.logits[0, -1].argmax()) if aim is None else aim
    found: dict[str, Predictions] = {}
    texts: dict[int, str] = {}
    for name in reversed(names):
        hidden = done.hidden[spec.site(name)] if maps is None else maps.of(name, done.hidden[spec.site(name)])
        logits = tail(lifted.model, batch, spec.chain, edits, done, hidden)
        found = {name: predictions(logits[0], done.logits[0], top=top, target=followed), **found}
        new = [token for token in dict.fromkeys(found[name].ids.flatten().tolist()) if token not in texts]
        texts.update(zip(new, words.of(new), strict=True))
        (aimed,) = words.of([followed])
        yield Lens(spec.model_id, said(prompt, batch, words), words.of(ids), aimed, found, texts, maps)


def _translators(
    lifted: Lifted, edits: Sequence[Tap], names: Sequence[str], tuned: Prompt | Translators | None
) -> Translators | None:
    if tuned is None:
        return None
    maps = tuned if isinstance(tuned, Translators) else translators(lifted, tuned, edits, names)
    maps.demand(lifted.spec.model_id, names)
    return maps


def _whole(lifted: Lifted, batch: Batch, edits: Sequence[Tap], names: Sequence[str]) -> Whole:
    """UnsupportedModelError where a layer, or the answer, has not one row a token that the head reads."""
    spec = lifted.spec
    done = whole(lifted.model, batch, spec.chain, edits, [spec.site(name) for name in names])
    _demand_rows(spec, done.logits, len(read_ids(batch)))
    for name in names:
        shape = tuple(done.hidden[spec.site(name)].shape)
        if shape != width_at_end(spec.chain, done):
            raise UnsupportedModelError(
                f"{name} is {shape} where {spec.chain.links[-1].name} is {width_at_end(spec.chain, done)}.",
                f"Only what is like {spec.chain.links[-1].name} can be read as a prediction.",
            )
    return done


def _demand_stream(spec: ModelSpec, layers: Selector) -> list[str]:
    """States of the residual stream that the head reads."""
    names = spec.usable(layers)
    for name in names:
        address = parse(name)
        if address is None or address.kind != "layer" or address.stack is not None:
            raise InputError(
                f"{name} is no state of the stream that the output head reads.",
                "Name layers: layer_*, 0,-1, layer_0.before, layer_3.mid.",
            )
    return names


def _demand_head(lifted: Lifted) -> None:
    named = getattr(lifted.model, "get_output_embeddings", lambda: None)()
    if named is None and "output_head" not in lifted.spec.parts:
        raise UnsupportedModelError(
            f"{lifted.spec.model_id} has no output head: its layers predict no tokens.",
            "Load it with its language-modelling head, or read it with capture.",
        )


def _demand_rows(spec: ModelSpec, logits: Tensor, tokens: int) -> None:
    if logits.ndim != 3 or tuple(logits.shape[:2]) != (1, tokens):
        raise UnsupportedModelError(
            f"{spec.model_id} answers {tokens} tokens with {tuple(logits.shape)}, not one row a token.",
            "A lens needs a model with one prediction for each token.",
        )


def _demand_room(lifted: Lifted, layers: int, tokens: int) -> None:
    size = next(lifted.model.parameters()).element_size()
    need = tokens * size * (layers * lifted.spec.hidden_dim + 2 * lifted.spec.vocab_size)
    what = f"{layers} layers of {tokens:,} tokens"
    room.demand_room(what, need, BUDGET, "Give a shorter prompt, or fewer layers.")
