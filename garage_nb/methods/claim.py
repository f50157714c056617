"""Claim: what somebody said of a method, how it is tried here, and what would settle it; all before any run."""

from __future__ import annotations

import re
from dataclasses import dataclass
from enum import Enum

from ..errors import InputError, shortened
from .rules.rule import Rule

KEY = re.compile(r"[a-z0-9]+(-[a-z0-9]+)*")


class Role(str, Enum):
    """What an arm is there for."""

    TREATMENT = "treatment"  # what the claim is about
    CONTROL = "control"  # a placebo: the same without what the treatment is said to work by
    BASELINE = "baseline"  # another way to spend as much, such as the logit ensemble
    NO_OP = "no-op"  # the target as it is; several must be the same on every item


@dataclass(frozen=True)
class Arm:
    """`about` says what is run, in words."""

    name: str
    role: Role
    about: str = ""


@dataclass(frozen=True)
class Effort:
    """Items of each domain, seeds, and the steps of whatever is trained."""

    items: int
    seeds: int = 5
    steps: int = 100

    def __post_init__(self) -> None:
        if min(self.items, self.seeds, self.steps) < 1:
            raise InputError(
                f"{self.items} items under {self.seeds} seeds are no runs.", "Ask for one or more of each."
            )


QUICK, FULL = Effort(100), Effort(1000)


@dataclass(frozen=True, kw_only=True)
class Claim:
    """`key` is how it is called, `source` where it was claimed. `target` are the domains that it is about, all of them
    where it is empty; on the others an arm shows what it retains.
    """

    key: str
    statement: str
    source: str
    protocol: str
    arms: tuple[Arm, ...]
    rule: Rule
    target: tuple[str, ...] = ()
    quick: Effort = QUICK
    full: Effort = FULL

    def __post_init__(self) -> None:
        """InputError for a claim that could not be settled as it stands."""
        names = [arm.name for arm in self.arms]
        if not KEY.fullmatch(self.key):
            raise InputError(f"{self.key!r} is no key of a claim.", "Give words in small letters, gated-over-identity.")
        if len(set(names)) < len(names) or "" in names:
            raise InputError(f"Two arms of {self.key} have one name, or one has none.", "Name every arm differently.")
        if missing := [arm for arm in self.rule.arms if arm not in names]:
            raise InputError(f"The rule of {self.key} needs {shortened(missing)}.", f"There are: {', '.join(names)}.")
        if not self.rule.margin > 0:
            raise InputError(
                f"The margin of {self.key} is {self.rule.margin}.", "Say what effect would matter, above 0."
            )
        if not self.named(Role.NO_OP):
            raise InputError(f"{self.key} has no no-op to be held against.", "Add the target as it is, as an arm.")

    def named(self, role: Role) -> tuple[str, ...]:
        """The arms of a role, in order."""
        return tuple(arm.name for arm in self.arms if arm.role is role)

    @property
    def untouched(self) -> str:
        """The arm that effects are told from."""
        return self.named(Role.NO_OP)[0]
