"""The laws of the house that can be read off the source: who imports whom, what is never used, what is never said."""

from __future__ import annotations

import ast
import importlib.util
import re
import subprocess
import sys
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
PACKAGE = ROOT / "garage_nb"
SOURCES = sorted(PACKAGE.rglob("*.py"))
SCRIPTS = sorted(PACKAGE.rglob("*.js"))
TESTS = sorted((ROOT / "tests").rglob("test_*.py"))

LADDER = [
    {"plain"},
    {"errors"},
    {"core"},
    {"view"},
    {"registry"},
    {"extract", "inject", "snapshot"},
    {"analyze", "compose", "drawing"},
    {"fleet"},
    {"methods", "showroom", "doctor"},
    {"pipelines"},
    {"verbs"},
    {"words"},
    {"answers"},
    {"garage"},
    {"offers", "command"},
    {"magics", "widgets", "__main__"},
    {"__init__"},
]
RUNG = {name: rung for rung, names in enumerate(LADDER) for name in names}

# These make a widget, and a widget is a face over the very Garage that makes it: the one import that goes up.
UPWARD = {
    ("garage_nb/garage/tending.py", "garage_nb.widgets.named"),
    ("garage_nb/garage/surveying.py", "garage_nb.widgets.survey"),
}

SLOW = {"transformers", "matplotlib", "anywidget", "IPython", "cyclopts", "pandas", "ipywidgets", "jupyterlab"}
SUBCLASSED = {"anywidget", "IPython", "ipywidgets"}  # a widget or a magic is a subclass of theirs
RUNNING = {"eval", "exec", "__import__", "torch.load", "torch.save", "np.load", "numpy.load"}
FORBIDDEN = {"pickle", "cloudpickle", "dill", "shelve", "marshal"}


def name_of(path: Path) -> str:
    return str(path.relative_to(ROOT))


def home(path: Path) -> str:
    """The top-level folder or file a source belongs to."""
    return path.relative_to(PACKAGE).parts[0].removesuffix(".py")


def module_name(path: Path) -> str:
    return ".".join(path.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__")


def type_checking(tree: ast.AST) -> set[ast.AST]:
    """Everything under `if TYPE_CHECKING:`, which never runs."""
    blocks = [node for node in ast.walk(tree) if isinstance(node, ast.If) and "TYPE_CHECKING" in ast.unparse(node.test)]
    return {inner for block in blocks for statement in block.body for inner in ast.walk(statement)}


def imports(path: Path, tree: ast.AST) -> Iterator[tuple[ast.stmt, str]]:
    """(statement, absolute name of what it imports), also of those inside functions."""
    package = module_name(path) if path.name == "__init__.py" else module_name(path).rpartition(".")[0]
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from ((node, alias.name) for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            base = importlib.util.resolve_name("." * node.level + (node.module or ""), package)
            if base == "garage_nb":
                yield from ((node, f"{base}.{alias.name}") for alias in node.names)
            else:
                yield node, base


def parsed(path: Path) -> ast.Module:
    return ast.parse(path.read_text(encoding="utf-8"))


def test_there_is_something_to_check() -> None:
    assert len(SOURCES) > 30
    assert SCRIPTS
    assert len(TESTS) > 10


@pytest.mark.parametrize("path", SOURCES, ids=name_of)
def test_imports_go_down_the_ladder(path: Path) -> None:
    """Higher rungs may use lower ones; on one rung a package uses only itself."""
    mine = home(path)
    assert mine in RUNG, f"{mine} has no rung; give it one in LADDER"

    for statement, imported in imports(path, parsed(path)):
        top, _, rest = imported.partition(".")
        if top != "garage_nb" or (name_of(path), imported) in UPWARD:
            continue
        theirs = rest.partition(".")[0] or "__init__"
        below = RUNG.get(theirs, len(LADDER)) < RUNG[mine]
        assert theirs == mine or below, f"{name_of(path)}:{statement.lineno} imports {imported}"


@pytest.mark.parametrize("path", SOURCES, ids=name_of)
def test_slow_packages_load_on_first_use(path: Path) -> None:
    tree = parsed(path)
    late = type_checking(tree)
    late |= {
        inner
        for node in ast.walk(tree)
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
        for inner in ast.walk(node)
    }
    allowed = SUBCLASSED if home(path) in ("widgets", "magics") else set()

    early = {name.partition(".")[0] for statement, name in imports(path, tree) if statement not in late}

    assert not (early & SLOW) - allowed


@pytest.mark.parametrize("path", SOURCES, ids=name_of)
def test_nothing_runs_code_from_data(path: Path) -> None:
    """No pickle in any form, no eval, no exec; torch's own load and save are pickle."""
    tree = parsed(path)

    found = {name.partition(".")[0] for _, name in imports(path, tree)} & FORBIDDEN
    found |= {
        call for call in calls(tree) if call in ("eval", "exec", "torch.load", "torch.save", "np.load", "__import__")
    }

    assert not found


def calls(tree: ast.AST) -> list[str]:
    return [ast.unparse(node.func) for node in ast.walk(tree) if isinstance(node, ast.Call)]


@pytest.mark.parametrize("path", SOURCES, ids=name_of)
def test_models_are_loaded_without_their_code(path: Path) -> None:
    loads = [
        node
        for node in ast.walk(parsed(path))
        if isinstance(node, ast.Call) and ast.unparse(node.func).endswith("from_pretrained")
    ]

    for node in loads:
        options = {keyword.arg: ast.unparse(keyword.value) for keyword in node.keywords}
        assert options.get("trust_remote_code") == "False", f"{name_of(path)}:{node.lineno}"
        assert options.get("use_safetensors", "True") == "True", f"{name_of(path)}:{node.lineno}"


@pytest.mark.parametrize("path", SCRIPTS, ids=name_of)
def test_scripts_are_small_plain_modules(path: Path) -> None:
    text = path.read_text(encoding="utf-8")

    assert len(text.encode()) < 30_000
    assert not re.search(r"innerHTML|outerHTML|insertAdjacentHTML|document\.write|\beval\(|new Function", text)
    assert not re.search(r"""^\s*import\b|\bimport\(""", text, re.MULTILINE) or "./" in text


@pytest.mark.parametrize(
    "path", sorted(p for p in PACKAGE.rglob("*") if p.suffix in {".py", ".js", ".css"}), ids=name_of
)
def test_nothing_names_an_address_on_the_net(path: Path) -> None:
    found = re.findall(r"https?://[^\s\"'`)<>]+", path.read_text(encoding="utf-8"))

    assert not [address for address in found if not address.startswith("http://www.w3.org/")]


@pytest.mark.parametrize("path", SOURCES, ids=name_of)
def test_a_file_says_what_it_is_for(path: Path) -> None:
    assert ast.get_docstring(parsed(path))


def asserts(function: ast.AST, helpers: set[str]) -> bool:
    """An assert, a pytest.raises, an expect(…) of playwright, or a call of a function here that holds one."""
    for node in ast.walk(function):
        if isinstance(node, ast.Assert):
            return True
        if isinstance(node, ast.Call):
            called = ast.unparse(node.func)
            last = called.rpartition(".")[2]
            if last in ("raises", "warns", "fail", "expect") or last.startswith("assert_") or last in helpers:
                return True
    return False


@cache
def asserting_helpers() -> set[str]:
    """Names of functions in tests/ that assert for those who call them."""
    functions = [
        node
        for path in (ROOT / "tests").rglob("*.py")
        for node in ast.walk(parsed(path))
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) and not node.name.startswith("test_")
    ]
    return {function.name for function in functions if asserts(function, set())}


@pytest.mark.parametrize("path", TESTS, ids=name_of)
def test_every_test_asserts(path: Path) -> None:
    helpers = asserting_helpers()
    functions = [
        node
        for node in ast.walk(parsed(path))
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) and node.name.startswith("test_")
    ]

    assert functions
    assert [function.name for function in functions if not asserts(function, helpers)] == []


def loaded_after(code: str) -> set[str]:
    """Top-level packages in memory after `code` ran in a fresh interpreter."""
    report = f"{code}\nimport sys\nprint('LOADED', *sorted({{name.partition('.')[0] for name in sys.modules}}))"
    done = subprocess.run([sys.executable, "-c", report], capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 0, done.stderr
    return set(done.stdout.rpartition("LOADED")[2].split())


def test_importing_the_package_loads_nothing_slow() -> None:
    assert not loaded_after("import garage_nb") & (SLOW | {"torch", "numpy"})


def test_loading_the_extension_does_not_load_torch() -> None:
    code = (
        "from IPython.core.interactiveshell import InteractiveShell\n"
        "shell = InteractiveShell.instance()\n"
        "shell.run_line_magic('load_ext', 'garage_nb')\n"
        "assert 'garage' in shell.magics_manager.magics['line']\n"
    )

    assert not loaded_after(code) & {"torch", "transformers", "matplotlib", "pandas"}
