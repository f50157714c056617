"""Demo: the quickstart notebook, copied here and opened in JupyterLab."""

from __future__ import annotations

import subprocess
import sys
from contextlib import suppress
from importlib.util import find_spec
from pathlib import Path

from ..core.files import reason, write_new
from ..errors import GarageError

NAME = "01_quickstart.ipynb"
PACKAGE = Path(__file__).parents[1]


def demo(folder: Path) -> int:
    """What JupyterLab ends with. A notebook of that name in the folder is opened as it is."""
    if find_spec("jupyterlab") is None:
        raise GarageError("JupyterLab is not installed here.", f'{sys.executable} -m pip install "garage-nb[lab]"')
    notebook = copied(folder)
    with subprocess.Popen([sys.executable, "-m", "jupyterlab", str(notebook)]) as lab:
        while True:
            with suppress(KeyboardInterrupt):  # it goes to JupyterLab too, which asks by itself
                return lab.wait()


def copied(folder: Path) -> Path:
    """The notebook in that folder, a copy where there was none."""
    target = folder / NAME
    try:
        write_new(target, shipped().read_bytes())
        print(f"{NAME} was copied to this folder.", file=sys.stderr)
    except FileExistsError:
        print(f"{NAME} is in this folder already; it is opened as it is.", file=sys.stderr)
    except OSError as error:
        raise GarageError(f"{target} cannot be written: {reason(error)}.", "Go to a folder of your own.") from None
    return target


def shipped() -> Path:
    """In the package where it was installed, beside it in a checkout."""
    places = (PACKAGE / "notebooks" / NAME, PACKAGE.parent / "notebooks" / NAME)
    found = next((place for place in places if place.is_file()), None)
    if found is None:
        raise GarageError(f"{NAME} is missing from this installation.", "Install garage-nb again.")
    return found
