"""Packages: which versions are installed, and whether they are new enough."""

from __future__ import annotations

import platform
from importlib import metadata

from packaging.requirements import Requirement
from packaging.version import Version

from .check import Check

OURS = "garage-nb"
NEEDED = ("torch", "transformers", "ipython", "ipywidgets", "anywidget")
OF_A_NOTEBOOK = ("ipykernel", "jupyterlab")  # a plain terminal has no use for them


def packages() -> list[Check]:
    """Python, this package and those it stands on."""
    floors = _floors()
    python = Check("python", "ok", f"{platform.python_version()}, {platform.system()} {platform.machine()}")
    return [python, *(_package(name, floors.get(name)) for name in (OURS, *NEEDED, *OF_A_NOTEBOOK))]


def version(name: str) -> str | None:
    """None when it is not installed."""
    try:
        return metadata.version(name)
    except metadata.PackageNotFoundError:
        return None


def _package(name: str, floor: Requirement | None) -> Check:
    found, wanted = version(name), str(floor or name)
    if found is None and name == OURS:
        return Check(name, "check", "imported from a folder, not installed", "Install it, so that versions are known.")
    if found is None:
        state, why = ("check", "; a notebook needs it") if name in OF_A_NOTEBOOK else ("fix", "")
        return Check(name, state, f"not installed{why}", f'pip install "{wanted}"')  # type: ignore[arg-type]
    if floor is not None and not floor.specifier.contains(Version(found), prereleases=True):
        return Check(name, "fix", f"{found}, too old", f'pip install --upgrade "{wanted}", then restart the kernel.')
    return Check(name, "ok", found)


def _floors() -> dict[str, Requirement]:
    """What this package asks for, by name; nothing where it was not installed."""
    try:
        asked = [Requirement(line) for line in metadata.requires(OURS) or ()]
    except metadata.PackageNotFoundError:
        return {}
    return {item.name: Requirement(f"{item.name}{item.specifier}") for item in asked if item.specifier}
