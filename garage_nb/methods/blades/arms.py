"""Arms: what a blade is held against, as far as it makes sense for its kind: no-ops, placebos and plain rivals."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from functools import cache, cached_property, lru_cache

from ...errors import BuildError
from ...inject.blades.blade import Blade
from ...inject.blades.edit import BladeEdit
from ...inject.blades.fitting.captures import data_hash
from ...inject.blades.kinds.low_rank import fit_low_rank
from ...inject.edit import Edit
from ...registry.lift import Lifted
from ..claim import Arm, Role
from ..studies.answering import alone, ensemble
from ..studies.best_merge import best_merge
from ..studies.course import Run
from ..studies.ground import Ground
from ..studies.papers import Answering
from ..studies.placebos import Change, change_on, scrambled, silenced, twin
from .dealing import dealt
from .making import PLAIN, SOURCE, Making, answering, source_of

TARGET, SELF, BLADE, ANEW = "target", "self-blade", "the blade", "fitted anew"
SOURCE_ALONE, ENSEMBLE, MERGE, ADAPTER = "source", "logit ensemble", "weight merge", "adapter of its size"
SHUFFLED, OF_SHUFFLED, SOURCE_FREE = "source shuffled", "fitted on shuffled source", "without source"
LABELS, DIRECTION, NOISE = "fitted on shuffled labels", "random direction", "noise"
FORWARDS = {SOURCE_ALONE: 1, ENSEMBLE: 2, MERGE: 1, ADAPTER: 1}  # a token, of what a blade must beat
Tried = tuple[Arm, Run]


@dataclass(frozen=True, eq=False)
class Arms:
    """Of one blade on a ground. What a seed draws is drawn anew under each; the blade itself is one."""

    blade: Blade
    ground: Ground

    @property
    def tried(self) -> list[Tried]:
        """In the order they are shown. An arm is left out where it makes no sense: a merge of models of unlike shapes,
        a shuffled source where none is read.
        """
        return [*self._no_ops(), *self._treatments(), *self._rivals(), *self._placebos()]

    @property
    def source(self) -> Lifted | None:
        return self.ground.others.get(SOURCE)

    def _no_ops(self) -> Iterator[Tried]:
        target = self.ground.target
        yield Arm(TARGET, Role.NO_OP, "as it is"), Run(TARGET, lambda seed: alone(target))
        if self._is_nothing_on_itself:
            about = "the blade on a copy of the target"
            yield Arm(SELF, Role.NO_OP, about), Run(SELF, lambda seed: self._on(self.blade, twin(target)))

    def _treatments(self) -> Iterator[Tried]:
        yield Arm(BLADE, Role.TREATMENT, str(self.blade)), Run(BLADE, lambda seed: self._on(self.blade, self.source))
        making = self._making
        if making is not None and making.is_trained:
            own, is_alike = self.blade.fit, self.blade.fit.data == data_hash(self.ground.lessons().texts)
            about = "the same under other seeds" if is_alike else "made alike of these items, not of its own"
            yield _drawn(ANEW, Role.TREATMENT, about, lambda seed: self._anew(own.seed + 1 + seed))

    def _rivals(self) -> Iterator[Tried]:
        target, source = self.ground.target, self.source
        if source is not None:
            yield _fixed(SOURCE_ALONE, "the other model by itself", lambda: alone(source))
            yield _fixed(ENSEMBLE, "the mean of both models' logits", lambda: ensemble([target, source]))
            merge = self._merge
            if isinstance(merge, Lifted):
                yield _fixed(MERGE, "a linear merge, its share chosen on validation", lambda: alone(merge))
        if self.blade.kind not in ("low_rank", "sae_feature"):
            about = f"a low-rank adapter of rank {self._rank}, trained on the same items"
            yield _drawn(ADAPTER, Role.BASELINE, about, self._adapter)

    def _placebos(self) -> Iterator[Tried]:
        if self.blade.source is not None:
            yield from self._of_no_source()
        elif self._can_be_dealt:
            about = "made alike of items whose answers, or sides, were dealt out by chance"
            yield _drawn(
                LABELS, Role.CONTROL, about, lambda seed: self._anew(seed, dealt(self.ground, self.blade.kind, seed))
            )
        about = "as long as what the blade changes on the average token"
        yield _drawn(DIRECTION, Role.CONTROL, about, lambda seed: self._edited(self._change.direction(seed)))
        yield _drawn(NOISE, Role.CONTROL, about, lambda seed: self._edited(self._change.noise(seed)))

    def _of_no_source(self) -> Iterator[Tried]:
        source, making = source_of(self.ground), self._making
        assert making is not None
        shuffled, silent = lru_cache(1)(lambda seed: scrambled(source, seed)), cache(lambda: silenced(source))
        about = "the blade, and a source that takes every token for another one"
        yield _drawn(SHUFFLED, Role.CONTROL, about, lambda seed: self._on(self.blade, shuffled(seed)))
        if making.kind != "transplant":
            about = "made and tried with such a source"
            yield _drawn(OF_SHUFFLED, Role.CONTROL, about, lambda seed: self._anew(seed, self._with(shuffled(seed))))
        if making.is_trained and making.projection == PLAIN:
            about = "made and tried with a source of zeros"
            yield _drawn(SOURCE_FREE, Role.CONTROL, about, lambda seed: self._anew(seed, self._with(silent())))
        else:
            about = "the blade, and a source of zeros"
            yield Arm(SOURCE_FREE, Role.CONTROL, about), Run(SOURCE_FREE, lambda seed: self._on(self.blade, silent()))

    @property
    def _is_nothing_on_itself(self) -> bool:
        blade = self.blade
        plain = blade.kind == "transplant" or blade.settings.get("projection") == PLAIN
        return plain and blade.source_place == blade.place

    @property
    def _can_be_dealt(self) -> bool:
        """A direction is dealt out among domains, and needs two."""
        return self._making is not None and (self.blade.kind != "direction" or len(self.ground.fit) > 1)

    @property
    def _making(self) -> Making | None:
        return Making.of(self.blade)

    @property
    def _rank(self) -> int:
        """Of an adapter with as many numbers, 2 · dim + 1 a rank; one at least."""
        numbers = sum(tensor.numel() for tensor in self.blade.tensors.values())
        return max(1, round(numbers / (2 * self.blade.width + 1)))

    @cached_property
    def _change(self) -> Change:
        """What the blade does to items to choose by."""
        return change_on(self.ground, BladeEdit(self.blade.place, self.blade, self.blade.alpha, self._read))

    @property
    def left_out(self) -> str:
        """Why there is no merge, where a second model is there; else empty."""
        return self._merge if self.source is not None and isinstance(self._merge, str) else ""

    @cached_property
    def _merge(self) -> Lifted | str:
        """Why there is none, for models that cannot be merged."""
        try:
            return best_merge(self.ground, source_of(self.ground))
        except BuildError as error:
            return error.what

    @property
    def _read(self) -> Lifted | None:
        return self.source if self.blade.source is not None else None

    def _adapter(self, seed: int) -> Answering:
        making = self._making or Making(name="adapter", kind="low_rank")
        lessons, how = self.ground.lessons(), making.seeded(seed).training
        made = fit_low_rank("adapter", self.ground.target, self.blade.place, lessons, rank=self._rank, how=how)
        return self._on(made, None)

    def _anew(self, seed: int, ground: Ground | None = None) -> Answering:
        """Made by another seed, and perhaps on another ground, which it is tried on."""
        making, ground = self._making, ground or self.ground
        assert making is not None
        return self._on(making.seeded(seed).at(self.blade.place, ground), ground.others.get(SOURCE))

    def _with(self, source: Lifted) -> Ground:
        return replace(self.ground, others={SOURCE: source})

    def _on(self, blade: Blade, source: Lifted | None) -> Answering:
        return answering(self.ground.target, blade, source)

    def _edited(self, edit: Edit) -> Answering:
        return alone(self.ground.target, edit)


def _drawn(name: str, role: Role, about: str, answering: Callable[[int], Answering]) -> Tried:
    return Arm(name, role, about), Run(name, answering, is_drawn=True)


def _fixed(name: str, about: str, answering: Callable[[], Answering]) -> Tried:
    """A rival that no seed changes."""
    return Arm(name, Role.BASELINE, about), Run(name, lambda seed: answering())
