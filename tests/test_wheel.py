"""The wheel: everything that runs is in it, nothing else, and it runs from where it was put."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from zipfile import ZipFile

import pytest

ROOT = Path(__file__).parent.parent


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("wheel")
    command = [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(folder)]
    subprocess.run(command, cwd=ROOT, check=True, capture_output=True, timeout=300)
    (built,) = folder.glob("*.whl")
    return built


def test_it_holds_every_file_of_the_package_and_nothing_else(wheel: Path) -> None:
    names = ZipFile(wheel).namelist()
    files = {path for path in (ROOT / "garage_nb").rglob("*") if path.is_file() and "__pycache__" not in path.parts}

    assert {name.split("/")[0] for name in names} == {"garage_nb", "garage_nb-0.1.0.dist-info"}
    assert {name for name in names if name.startswith("garage_nb/")} >= {
        str(path.relative_to(ROOT)) for path in files if path.suffix in (".py", ".js", ".css", ".json", ".safetensors")
    }
    assert any(name.endswith(".js") for name in names)
    assert any(name.endswith(".css") for name in names)


def test_it_holds_every_model_of_the_index(wheel: Path) -> None:
    with ZipFile(wheel) as packed:
        shelf = "garage_nb/showroom/models"
        index = json.loads(packed.read(f"{shelf}/index.json"))
        names = set(packed.namelist())

    assert "showroom" in index
    for entry in index.values():
        wanted = {f"{shelf}/{entry['path']}/{name}" for name in ("config.json", "model.safetensors", "tokenizer.json")}
        assert wanted <= names


def test_it_holds_the_notebook_of_the_demo(wheel: Path) -> None:
    with ZipFile(wheel) as packed:
        held = packed.read("garage_nb/notebooks/01_quickstart.ipynb")

    assert held == (ROOT / "notebooks" / "01_quickstart.ipynb").read_bytes()


def test_it_is_small_enough_to_download_on_a_train(wheel: Path) -> None:
    assert wheel.stat().st_size < 32e6


def test_it_runs_from_where_it_was_unpacked(wheel: Path, tmp_path: Path) -> None:
    ZipFile(wheel).extractall(tmp_path)
    script = f"""
import sys
sys.path.insert(0, {str(tmp_path)!r})
import garage_nb
assert "torch" not in sys.modules
assert garage_nb.__file__.startswith({str(tmp_path)!r}), garage_nb.__file__
print(garage_nb.Garage("showroom").generate("The capital of France is", tokens=1).text)
"""
    done = subprocess.run([sys.executable, "-I", "-c", script], capture_output=True, text=True, timeout=300)

    assert done.stdout == " Paris\n", done.stderr


def test_it_names_its_command(wheel: Path) -> None:
    with ZipFile(wheel) as packed:
        (entry,) = [name for name in packed.namelist() if name.endswith("entry_points.txt")]
        text = packed.read(entry).decode()

    assert "garage = garage_nb.__main__:main" in text
