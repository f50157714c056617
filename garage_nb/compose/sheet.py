"""BuildSheet: how a hybrid is put together, as a value."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

from ..inject.edit import Edit
from .graft import Graft, Swap

if TYPE_CHECKING:
    from .assembly.hybrid import Hybrid
    from .layout.check import Check


@dataclass(frozen=True)
class BuildSheet:
    """`base` gives the config and all that no graft replaces. `donors`: name on the sheet -> what `load` takes.

    Grafts act in their order; names of places are those of the result.

    `dtype` is what the donors' weights are cast to before anything is done to them, `out_dtype` what the result is cast
    to, `tokenizer` the donor that gives it: empty for as they are, and for that of the embedding. `edits` act on the
    result of all grafts: they are written into its weights where that gives the same. `texts` are what
    adapters are fitted on.
    """

    base: str
    donors: Mapping[str, Any] = field(default_factory=dict)
    grafts: tuple[Graft, ...] = ()
    name: str = "hybrid"
    dtype: str = ""
    out_dtype: str = ""
    tokenizer: str = ""
    edits: tuple[Edit, ...] = ()
    texts: tuple[str, ...] = ()

    @property
    def used(self) -> tuple[str, ...]:
        """Names of the donors that it takes anything from, the base first, each once."""
        said = [self.base, self.tokenizer, *(ref.donor for graft in self.grafts for ref in graft.refs)]
        return tuple(name for name in dict.fromkeys(said) if name)

    @property
    def is_stitched(self) -> bool:
        """Whether any graft has adapters."""
        return any(isinstance(graft, Swap) and graft.adapter != "none" for graft in self.grafts)

    def check(self) -> Check:
        """What would become of each graft, with its reason; opens the donors and builds nothing."""
        from .layout.check import check

        return check(self)

    def build(self) -> Hybrid:
        """A model that is proved. BuildError when it cannot be built, or is not what the sheet says."""
        from .assembly.build import build

        return build(self)

    def __add__(self, graft: Graft) -> BuildSheet:
        return replace(self, grafts=(*self.grafts, graft))
