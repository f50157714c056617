"""Build: from a sheet to a model, which is proved before it is handed over."""

from __future__ import annotations

import copy
from collections.abc import Iterator
from typing import Any

import torch

from ...core.fingerprint import AtRest
from ...errors import BuildError
from ..blends.drawing import one_build
from ..layout.check import Check, check
from ..layout.donors import Donor
from ..layout.ingredients import Taken
from ..layout.layout import Layout
from ..layout.tokens import teller
from ..layout.whole import empty, finished, shared, speaker
from ..sheet import BuildSheet
from .adapting import with_adapters
from .as_in_donors import as_in_donors, taken_whole, through_adapters
from .built import Built
from .casting import recast
from .hybrid import Hybrid
from .kept_edits import KeptEdits
from .passage import passed
from .proof import Proof, Proofs, cached, finite, folded, logits_of, rebuilt, untouched
from .provenance import KEY, Prints, provenance
from .wrapping import wrapped


def build(sheet: BuildSheet) -> Hybrid:
    """A model of transformers' own class that shares memory with its donors where a weight is theirs as it is.

    Shared weights need no gradient, so that no optimizer reaches a donor. BuildError when a graft does not fit, or
    when what was built is not what the sheet says; nothing is kept of it then.
    """
    return build_checked(check(sheet))


def build_checked(checked: Check) -> Hybrid:
    layout = checked.demand()
    before = {name: (donor, _seen(donor)) for name, donor in _whole_donors(checked).items()}
    made = wrapped(assembled(layout), layout, layout.apart)
    adapted, merged = with_adapters(made, layout)
    model = recast(adapted, checked.sheet.out_dtype)
    model.config._name_or_path = checked.sheet.name
    setattr(model.config, KEY, provenance(checked.sheet, before))
    proofs = Proofs(checked.sheet.name, (*_demanded(_proofs(model, made, checked, before)), *merged))
    tokenizer = teller(checked.sheet, layout, checked.donors).whole.tokenizer
    edits = KeptEdits(checked.folding.folded, tuple(edit for edit, _ in checked.folding.stays))
    built = Built(name=checked.sheet.name, model=model, tokenizer=tokenizer, proofs=proofs, edits=edits)
    return Hybrid(built, checked)


def _proofs(model: Any, made: Any, checked: Check, before: Prints) -> Iterator[Proof]:
    """In turn: on what is not finite, those after it could only fail. `made` is the model before its last rounding."""
    layout = checked.demand()
    passage = passed(made, layout.spec, taken_whole(layout))
    logits = passage.logits if made is model else logits_of(model)
    yield finite(model, logits)
    yield cached(model)
    yield as_in_donors(passage, layout)
    if not layout.apart:
        yield rebuilt(model, logits)
    yield untouched(before)
    unfolded = _unfolded(made, checked)
    if layout.stitches:
        yield through_adapters(unfolded, layout)
    if edits := checked.folding.folded:
        yield folded(made, unfolded, [edit.tap(layout.spec) for edit in edits])


def _seen(donor: Donor) -> AtRest:
    """Before anything is built. A model that was loaded for the sheet is as it was lifted."""
    return donor.whole.baseline.at_rest if donor.fresh else AtRest.of(donor.model)


def _demanded(proofs: Iterator[Proof]) -> Iterator[Proof]:
    for proof in proofs:
        if proof.holds is False:
            raise BuildError(f"What was built is not right: {proof.claim}: {proof.found}.", "Nothing of it is kept.")
        yield proof


def _unfolded(made: Any, checked: Check) -> Any:
    """The model whose weights have no edits in them, `made` itself where none went in."""
    if not checked.folding.folded:
        return made
    layout = finished(checked.grafted)
    return wrapped(assembled(layout), layout, layout.apart)


def assembled(layout: Layout) -> Any:
    """The model, with every weight in its place."""
    model = empty(layout)
    in_donors = shared(layout)
    model.load_state_dict(_state(model, layout, in_donors), assign=True)
    model.tie_weights()
    model.to(layout.base.device)
    for name, parameter in model.named_parameters():
        parameter.requires_grad_(name not in in_donors)
    return _named(model, layout)


def _state(model: Any, layout: Layout, in_donors: set[str]) -> dict[str, torch.Tensor]:
    """Every tensor by name. Tied ones are made once, as the first of them."""
    tied = {name: id(parameter) for name, parameter in model.named_parameters(remove_duplicate=False)}
    keys = {name: tied.get(name, id(found)) for name, found in layout.tensors.items()}
    first = {keys[name]: name for name in reversed(list(layout.tensors))}
    made = {}
    with one_build():
        for name in sorted(first.values(), key=lambda name: layout.tensors[name].turn):
            found = layout.tensors[name]
            own = isinstance(found, Taken) and name not in in_donors
            made[keys[name]] = found.tensor().clone() if own else found.tensor()
    return {name: made[key] for name, key in keys.items()}


def _named(model: Any, layout: Layout) -> Any:
    whose = speaker(layout).model
    if getattr(whose, "generation_config", None) is not None:
        model.generation_config = copy.deepcopy(whose.generation_config)
    model.config.architectures = [type(model).__name__]
    return model


def _whole_donors(checked: Check) -> dict[str, Donor]:
    """Each once."""
    return {donor.name: donor for donor in checked.donors.values() if donor.lifted is not None}
