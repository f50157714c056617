"""Chain: the blocks of a model in the order in which they run, so that a run can leave out what it does not need."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace

from .sites import Site


@dataclass(frozen=True)
class Link:
    """One block. `turn` says which call of its module is meant, where several blocks are one module."""

    name: str
    path: str
    turn: int | None = None
    stack: str | None = None

    def holds(self, site: Site) -> bool:
        """Whether the site is the block itself or inside it; without a turn, every block of that module."""
        inside = site.path == self.path or site.path.startswith(f"{self.path}.")
        return inside and (self.turn is None or site.turn in (None, self.turn))


@dataclass(frozen=True)
class Chain:
    """`after` are the paths of what runs when all blocks have run: the final norm, the head.

    `ahead` are blocks before which a run is worth keeping, for edits that will come next.
    """

    links: tuple[Link, ...] = ()
    after: frozenset[str] = frozenset()
    ahead: frozenset[int] = frozenset()

    def __len__(self) -> int:
        return len(self.links)

    def place(self, site: Site) -> int:
        """The number of the first block in which the site lies; 0 for what runs before or nobody knows where."""
        inside = (number for number, link in enumerate(self.links) if link.holds(site))
        return next(inside, len(self.links) if site.path in self.after else 0)

    def start(self, site: Site) -> int:
        """The first block that has to run for an edit at the site to act: what leaves a block can be edited alone."""
        place = self.place(site)
        leaves = place < len(self) and site == Site(self.links[place].path, turn=site.turn, stack=site.stack)
        return place + leaves

    def towards(self, sites: Iterable[Site]) -> Chain:
        """The same, for a run that one with edits at these sites will follow."""
        return replace(self, ahead=frozenset(map(self.start, sites)))

    def first(self, sites: Iterable[Site]) -> int:
        """The first block that any of the sites needs; all blocks come before when there are none."""
        return min(map(self.place, sites), default=len(self.links))

    def last(self, sites: Iterable[Site]) -> int:
        return max(map(self.place, sites), default=0)
