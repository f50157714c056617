"""Versions: what a file was made with."""

from __future__ import annotations

from importlib.metadata import version

_PACKAGES = {"garage_nb": "garage-nb", "torch": "torch", "transformers": "transformers"}


def made_with() -> dict[str, str]:
    return {name: version(package) for name, package in _PACKAGES.items()}
