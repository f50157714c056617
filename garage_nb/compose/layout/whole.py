"""Whole: what must be true of a result as a whole, after all its grafts: one vocabulary, one dtype, one device."""

from __future__ import annotations

import copy
from dataclasses import replace
from typing import Any

from torch import Tensor

from ...core.skeleton import skeleton
from ...core.stored import stored
from ...errors import BuildError
from .donors import Donor
from .ingredients import Blended, Ingredient, Taken
from .layout import Layout

_IDS = ("bos_token_id", "eos_token_id", "pad_token_id")
_SPOKEN = ("embedding", "output_head")


def speaker(layout: Layout) -> Donor:
    """Whose tokens the result reads: the donor of its embedding."""
    return layout.occupants["embedding"].donor if "embedding" in layout.occupants else layout.base


def finished(layout: Layout) -> Layout:
    """The layout with the last of its config. BuildError where the parts cannot live in one model."""
    _demand_one_vocabulary(layout)
    _demand_one_kind(layout)
    config = copy.deepcopy(layout.config)
    about = config.get_text_config()
    whose = speaker(layout)
    if whose is not layout.base:
        about.vocab_size = whose.about.vocab_size
        for name in _IDS:
            setattr(about, name, getattr(whose.about, name, None))
    if about.tie_word_embeddings and not _is_tied(layout):
        about.tie_word_embeddings = config.tie_word_embeddings = False
    return replace(layout, config=config)


def empty(layout: Layout) -> Any:
    """A model of the base's class without weights. BuildError where the layout's weights are not those it needs."""
    kind = type(layout.base.model)
    model = skeleton(kind, layout.config, layout.base.model.dtype)
    needed, given = dict(stored(model)), {name: found.first for name, found in layout.tensors.items()}
    unlike = [name for name in {**needed, **given} if _shape(needed.get(name)) != _shape(given.get(name))]
    if unlike:
        name = unlike[0]
        raise BuildError(
            f"{kind.__name__} with this config has {_said(needed.get(name))} at {name}; the grafts bring "
            f"{_said(given.get(name))}.",
            "Its config cannot say of each layer what it is; keep layers of one kind in their places.",
        )
    return model


def shared(layout: Layout) -> set[str]:
    """Names of the weights that stay in a donor's memory: each of its tensors once, and again where the result ties it.

    A block that is repeated gets a copy: files have no weight twice, and training would pull at both places.
    """
    names = _first_names(layout)
    first: dict[int, str] = {}
    found = {name: made.first for name, made in layout.tensors.items() if isinstance(made, Taken)}
    return {name for name, tensor in found.items() if names[name] == names[first.setdefault(id(tensor), name)]}


def counted(layout: Layout) -> dict[str, Tensor]:
    """What stands for each of the result's own weights: none where a guest stands, a tied one under its first name."""
    names = set(_first_names(layout).values())
    return {name: layout.tensors[name].first for name in layout.tensors if name in names and not layout.is_apart(name)}


def _first_names(layout: Layout) -> dict[str, str]:
    """By the names of a finished layout, the first one of the same weight: tied as in the base, if the result is."""
    tied = layout.base.tensors if layout.config.get_text_config().tie_word_embeddings else {}
    first: dict[int, str] = {}
    return {name: first.setdefault(id(tied.get(name, name)), name) for name in layout.tensors}


def _shape(tensor: Tensor | None) -> tuple[int, ...] | None:
    return None if tensor is None else tuple(tensor.shape)


def _said(tensor: Tensor | None) -> str:
    return "nothing" if tensor is None else " × ".join(map(str, tensor.shape)) or "a number"


def _demand_one_vocabulary(layout: Layout) -> None:
    mine, theirs = (layout.occupants.get(place) for place in _SPOKEN)
    if mine is None or theirs is None or mine.donor is theirs.donor:
        return
    digests = {known["digest"] for who in (mine, theirs) if (known := who.donor.spec.extra_info.get("tokenizer"))}
    rows = [who.donor.about.vocab_size for who in (mine, theirs)]
    if rows[0] != rows[1] or len(digests) > 1:
        raise BuildError(
            f"The embedding reads the tokens of {mine.donor.name} ({rows[0]:,}), the head writes those of "
            f"{theirs.donor.name} ({rows[1]:,}).",
            f"Take both from one: swap embedding {theirs.donor.name}, or swap output_head {mine.donor.name}.",
        )


def _demand_one_kind(layout: Layout) -> None:
    """A cast nobody asked for would change numbers in silence."""
    guests = [stitch.guest for stitch in layout.apart]
    donors = {id(who.donor): who.donor for who in (*layout.occupants.values(), *guests)}
    for donor in donors.values():
        for side, there, here in (
            ("dtype", donor.dtype, layout.base.dtype),
            ("device", donor.device, layout.base.device),
        ):
            if there != here:
                raise BuildError(
                    f"{donor.name} is {_word(there)}, and {layout.base.name} is {_word(here)}.",
                    f"Load them with one {side}.",
                )


def _word(value: object) -> str:
    return str(value).removeprefix("torch.")


def _is_tied(layout: Layout) -> bool:
    """Whether what the base's class ties is one weight here: a head and its embedding, BERT's head and its bias too."""
    ties = dict(layout.base.model.all_tied_weights_keys).items()
    made = layout.tensors
    return all(_same(made[name], made[source]) for name, source in ties if name in made and source in made)


def _same(a: Ingredient, b: Ingredient) -> bool:
    """Of tied donors one tensor comes under two names; blends of tied ones are one blend, the embedding's;
    what an edit made of one end is not the other's.
    """
    if isinstance(a, Blended) and isinstance(b, Blended):
        pairs = zip([a.own, *a.others], [b.own, *b.others], strict=False)
        return a.blend == b.blend and len(a.others) == len(b.others) and all(_same(*pair) for pair in pairs)
    return a is b or (isinstance(a, Taken) and isinstance(b, Taken) and a.first is b.first)
