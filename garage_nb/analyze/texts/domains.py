"""Domains: texts by what they are about, and the parts whose neurons they are read for."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any

from ...core.batch import Batch, Prompt
from ...core.parts import parse
from ...errors import InputError
from ...registry.lift import Lifted
from ...registry.selecting import Selector
from .prompts import each_prompt

ONE = "texts"  # the domain of prompts that come without any
Domains = Mapping[str, Prompt]


def texts_by_domain(lifted: Lifted, prompts: Prompt | Domains) -> dict[str, list[Batch]]:
    """By domain. A mapping that holds token ids is a prompt."""
    return {domain: list(_each(lifted, texts)) for domain, texts in prompts_by_domain(prompts).items()}


def prompts_by_domain(prompts: Prompt | Domains) -> dict[str, Prompt]:
    """The same as they were given. InputError where there is none."""
    by_domain: Mapping[Any, Any] = (
        prompts if isinstance(prompts, Mapping) and "input_ids" not in prompts else {ONE: prompts}
    )
    if not by_domain:
        raise InputError("No prompts were given.", "Give texts, or texts by domain: {'law': […], 'code': […]}.")
    return {str(domain): texts for domain, texts in by_domain.items()}


def _each(lifted: Lifted, texts: Prompt) -> Iterator[Batch]:
    """Texts one by one: to pad a thousand to the longest would take room for nothing."""
    if (
        isinstance(texts, Sequence)
        and not isinstance(texts, str)
        and texts
        and all(isinstance(one, str) for one in texts)
    ):
        for text in texts:
            yield from each_prompt(str(text), lifted)
        return
    yield from each_prompt(texts, lifted)


def with_neurons(lifted: Lifted, layers: Selector) -> list[str]:
    """Feed-forward parts, by their names, by those of neurons, or by layer."""
    found = []
    for name in lifted.spec.usable(layers):
        address = parse(name)
        whole = None if address is None else address.whole
        if whole is not None and whole.kind == "layer":
            whole = replace(whole, kind="ffn")
        part = None if whole is None or whole.kind != "ffn" else lifted.spec.parts.get(str(whole))
        if part is None or not part.count_of("neurons"):
            experts = part is not None and part.count_of("experts")
            raise InputError(
                f"{name} of {lifted.spec.model_id} has no neurons that can be read.",
                "Its neurons are inside experts, which are fused." if experts else "Name ffn_*, ffn_3, 0,-1.",
            )
        found.append(str(whole))
    return list(dict.fromkeys(found))
