"""Writing: a build sheet becomes a mergekit recipe, where one makes the same tensors.

mergekit knows whole models blended, and slices of layers that are stacked or blended; it takes what stands before the
blocks from the first slice and what follows them from the last. A sheet that says anything else is refused by the graft
that says it. What is written was read again, and gave this sheet.
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import zip_longest
from typing import Any

from ...errors import BuildError, GarageError
from ..blends.blend import Blend
from ..blends.dare import Dare
from ..blends.deltas import Deltas
from ..blends.passthrough import Passthrough
from ..blends.slerp import Slerp
from ..graft import WHOLE, Graft, Merge, Stack
from ..ref import Ref
from ..sheet import BuildSheet
from .emitting import parameters_said, under
from .reading import sheet_from
from .renaming import by_model, spelled_out

Data = dict[str, Any]


def recipe_from(sheet: BuildSheet) -> str:
    """The YAML. BuildError names the graft that no recipe can say.

    A seed, which recipes do not have, stands in a comment, as the option that mergekit wants for it.
    """
    import yaml

    exact = spelled_out(by_model(sheet))
    seed = next((merge.blend.seed for merge in _merges(exact) if isinstance(merge.blend, Dare)), 0)
    data = _recipe(exact)
    try:
        _demand_same(exact, by_model(sheet_from(data, seed)))
    except BuildError:
        raise
    except GarageError as error:
        raise BuildError(error.what, error.hint) from None
    said = f"# mergekit-yaml --random-seed {seed}\n" if any(isinstance(m.blend, Dare) for m in _merges(exact)) else ""
    return said + str(yaml.safe_dump(data, sort_keys=False, default_flow_style=None, width=100))


def _demand_same(sheet: BuildSheet, read: BuildSheet) -> None:
    for graft, other in zip_longest(sheet.grafts, read.grafts):
        if graft != other and graft is not None:
            raise _unsaid(graft)
        if graft != other:
            raise BuildError(f"By a recipe of mergekit there would also be: {other}.", "Add it to the sheet.")
    if sheet.edits:
        raise BuildError(
            f"No recipe of mergekit says: {sheet.edits[0]}.", "Fold edits into the weights after the merge."
        )


def _unsaid(graft: Graft) -> BuildError:
    return BuildError(f"No recipe of mergekit says: {graft}.", "It blends whole models, or slices of layers.")


def _recipe(sheet: BuildSheet) -> Data:
    """The one whose reading could be this sheet."""
    merges, stack = list(_merges(sheet)), next((graft for graft in sheet.grafts if isinstance(graft, Stack)), None)
    kind = type(merges[0].blend) if merges else Passthrough
    data: Data = {"merge_method": kind.method}
    if stack is None or stack.layers[0].parts == "all":
        data |= _whole(stack.layers[0] if stack else Ref(sheet.base), merges, sheet.base)
    else:
        data["slices"] = [_slice(own, _over(merges, place, kind), sheet.base) for place, own in _placed(stack)]
    if issubclass(kind, Slerp | Deltas) or _first(data) != sheet.base:
        data["base_model"] = sheet.base
    said = {"dtype": sheet.dtype, "out_dtype": sheet.out_dtype, "tokenizer_source": sheet.tokenizer}
    return data | {key: value for key, value in said.items() if value}


def _whole(own: Ref, merges: list[Merge], base: str) -> Data:
    merge = merges[0] if merges else None
    if merge is not None and merge.at != WHOLE:
        raise _unsaid(merge)
    if base not in [own.donor, *(ref.donor for ref in (merge.sources if merge else ()))]:
        raise BuildError(
            f"{base} gives its config alone, and mergekit would blend its weights in.",
            "Merge it too, or begin with another model.",
        )
    models, shared = _sources(own, merge)
    return {"models": models} | under(shared)


def _slice(own: Ref, merge: Merge | None, base: str) -> Data:
    sources, shared = _sources(own, merge)
    for source, ref in zip(sources, [own, *(merge.sources if merge else ())], strict=True):
        source["layer_range"] = _bounds(ref)
    has_base = merge is not None and isinstance(merge.blend, Slerp | Deltas)
    based = {"base_model": own.donor} if has_base and own.donor != base else {}
    return {"sources": sources} | based | under(shared)


def _sources(own: Ref, merge: Merge | None) -> tuple[list[Data], Data]:
    """What is blended, each with its parameters, and the parameters of all."""
    refs = [own, *(merge.sources if merge else ())]
    each, shared = parameters_said(merge.blend, len(refs)) if merge else ([{} for _ in refs], {})
    return [{"model": ref.donor} | under(said) for ref, said in zip(refs, each, strict=True)], shared


def _placed(stack: Stack) -> Iterator[tuple[str, Ref]]:
    """Where each piece comes to stand in the result, `4:8`."""
    start = 0
    for ref in stack.layers:
        first, stop = _bounds(ref)
        yield f"{start}:{start + stop - first}", ref
        start += stop - first


def _over(merges: list[Merge], place: str, kind: type[Blend]) -> Merge | None:
    found = next((merge for merge in merges if merge.at == place), None)
    if found is None and kind is not Passthrough:
        raise BuildError(f"Layers {place} are stacked and others are blended.", "A recipe of mergekit has one method.")
    return found


def _bounds(ref: Ref) -> list[int]:
    first, _, stop = ref.parts.partition(":")
    if not (first.isdigit() and stop.isdigit()):
        raise BuildError(f"A slice has layers from and to, not {ref}.", "Write both bounds: b[0:4].")
    return [int(first), int(stop)]


def _merges(sheet: BuildSheet) -> Iterator[Merge]:
    return (graft for graft in sheet.grafts if isinstance(graft, Merge))


def _first(data: Data) -> str:
    """The model that the recipe names first."""
    sources = data["models"] if "models" in data else data["slices"][0]["sources"]
    return str(sources[0]["model"])
