"""What must hold of a model that was opened. Each check answers "ok", "n/a: why", or raises with what went wrong."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor

from garage_nb.core.run import logits
from garage_nb.core.sites import Read, Site, leaving
from garage_nb.inject.edits import Scale
from garage_nb.registry.specs import PartSpec, PartType

from .inside import inside_attention, stream_points
from .opened import TOLERANCE, Opened

RECORDED_OTHERWISE = {
    "xlnet": "(batch, seq, dim) where its blocks pass (seq, batch, dim)",
    "fsmt": "(batch, seq, dim) where its blocks pass (seq, batch, dim)",
    "prophetnet": "one stream of several",
    "cpmant": "the text without the prompt that it puts before it",
    "blt": "its encoder, its global stack and its decoder in one list",
    "funnel": "pooled blocks and unpooled ones in one list",
}


def readers_change_nothing(one: Opened) -> str:
    seen = [Read(one.spec.site(name), lambda hidden: None) for name in one.spec.available()]
    assert torch.equal(logits(one.model, one.batch, seen), one.bare), "readers change the logits"
    assert torch.equal(logits(one.model, one.batch), one.bare), "an idle run differs from the model's own"
    return "ok"


def residual_identity(one: Opened) -> str:
    reasons = []
    for layer in one.layers():
        halves = one.added(layer)
        reason = next((one.spec.parts[name].unavailable for name in halves if one.spec.parts[name].unavailable), "")
        if reason or not halves:
            reasons.append(reason or "no halves were found")
            continue
        _check_sum(one, layer, halves)
    return f"n/a: {reasons[0]}" if reasons else "ok"


def _check_sum(one: Opened, layer: str, halves: list[str]) -> None:
    whole = one.spec.site(layer)
    before, after, *added = one.hidden(
        Site(whole.path, "input", whole.turn), whole, *(one.spec.site(name) for name in halves)
    )
    total = before.clone()
    for name, half in zip(halves, added, strict=True):
        total = _normed(one, _norm_of(layer, name), total)
        total = _normed(one, f"{_norm_of(layer, name)}_post", total + half.reshape(total.shape))
    if any("a bias" in proof.claim for proof in one.spec.proofs if proof.layer == layer):
        return
    error = float((total - after.reshape(total.shape)).abs().max() / after.abs().max())
    assert error < TOLERANCE, f"{layer}: before + {' + '.join(halves)} is off by {error:.1e}"


@torch.no_grad()
def _normed(one: Opened, name: str, stream: Tensor) -> Tensor:
    """The stream after a norm that stands on it; unchanged where there is none."""
    norm = one.spec.parts.get(name)
    if norm is None or norm.extra_info["place"] != "stream":
        return stream
    return leaving(one.model.get_submodule(norm.module_path)(stream))


def _norm_of(layer: str, half: str) -> str:
    stack = "encoder_" if layer.startswith("encoder_") else ""
    kind = half.removeprefix(stack).rsplit("_", 1)[0]
    return f"{stack}layer_norm_{layer.rsplit('_', 1)[1]}_{kind}"


def edits_at_layers(one: Opened) -> str:
    for layer in one.layers():
        assert torch.equal(one.under(Scale(layer, 1.0)), one.bare), f"an identity edit at {layer} changes the logits"
        assert not torch.equal(one.under(Scale(layer, -0.7)), one.bare), f"an edit at {layer} does nothing"
    return "ok"


def edits_at_halves(one: Opened) -> str:
    names = [name for layer in one.layers() for name in one.added(layer) if not one.spec.parts[name].unavailable]
    for name in names:
        assert torch.equal(one.under(Scale(name, 1.0)), one.bare), f"an identity edit at {name} changes the logits"
        assert not torch.equal(one.under(Scale(name, 0.0)), one.bare), f"an edit at {name} does nothing"
    return "ok" if names else "n/a: no half can be edited"


def as_transformers_records(one: Opened) -> str:
    """Captures are among `output_hidden_states`, in order; the last may have gone through the final norm there."""
    with torch.no_grad():
        output = one.model(**one.batch.inputs(), use_cache=False, output_hidden_states=True)
    keys = ("decoder_hidden_states", "hidden_states")
    states = list(next((output[key] for key in keys if output.get(key) is not None), ()))
    if one.model.config.model_type in RECORDED_OTHERWISE:
        return f"n/a: transformers records {RECORDED_OTHERWISE[one.model.config.model_type]}"
    assert states, "transformers records none"
    layers = [layer for layer in one.layers() if not layer.startswith("encoder_")]
    for layer in layers[:-1]:
        (hidden,) = one.hidden(one.spec.site(layer))
        while states and not (states[0].shape == hidden.shape and torch.equal(states[0], hidden)):
            states.pop(0)
        assert states, f"what leaves {layer} is not among the recorded states"
    return "ok"


def units(kind: PartType, unit: str) -> Callable[[Opened], str]:
    def check(one: Opened) -> str:
        found = {name: part for name, part in one.spec.parts.items() if part.part_type is kind and not part.unavailable}
        able = {name: part for name, part in found.items() if part.count_of(unit)}
        if not able:
            return f"n/a: no {unit} can be told apart" if found else f"n/a: no {kind.value}"
        for name, part in able.items():
            _check_unit(one, name, part, unit)
        return "ok" if len(able) == len(found) else f"ok in {len(able)} of {len(found)}"

    check.__name__ = f"{unit}s"
    return check


def _check_unit(one: Opened, name: str, part: PartSpec, unit: str) -> None:
    count = part.count_of(unit)
    assert count
    shares = one.hidden(*(one.spec.site(f"{name}.{unit}_{index}") for index in range(count)))
    strongest = max(range(count), key=lambda index: float(shares[index].abs().max()))
    place = f"{name}.{unit}_{strongest}"
    whole = one.hidden(one.spec.site(f"{name}.{unit}s"))[0]
    together = sum(shares) if unit == "expert" else torch.cat(shares, dim=-1)
    assert isinstance(together, Tensor)
    assert torch.allclose(together, whole, atol=1e-5, rtol=1e-4), f"the {unit}s of {name} are not all of it"
    assert torch.equal(one.under(Scale(place, 1.0)), one.bare), f"an identity edit at {place} changes the logits"
    assert not torch.equal(one.under(Scale(place, 0.0)), one.bare), f"an edit at {place} does nothing"


CHECKS: dict[str, Callable[[Opened], str]] = {
    "readers": readers_change_nothing,
    "residual": residual_identity,
    "layer edits": edits_at_layers,
    "half edits": edits_at_halves,
    "hidden states": as_transformers_records,
    "heads": units(PartType.ATTENTION, "head"),
    "neurons": units(PartType.FFN, "neuron"),
    "experts": units(PartType.FFN, "expert"),
    "q, k, v": inside_attention,
    "mid": stream_points,
}
