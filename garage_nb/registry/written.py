"""A function as it is written, without its names: two that compute the same in the same way have one text.

Local names are numbered. What is read from `self` becomes a hole, for its value belongs to a module and not to the
code. Decorators, annotations, docstrings, messages and log lines say nothing about the result and are left out.
"""

from __future__ import annotations

import ast
import inspect
import textwrap
from collections.abc import Mapping
from dataclasses import dataclass
from types import CodeType, FunctionType, ModuleType
from typing import Any
from weakref import WeakKeyDictionary

Chain = tuple[str, ...]  # ("config", "sliding_window") for self.config.sliding_window
SUPER = "super()"
_LOGS = {"logger", "warnings"}
_KNOWN = WeakKeyDictionary[FunctionType, "Written"]()


@dataclass(frozen=True)
class Written:
    """`reads` fill the holes of `text` in order; `given` are keyword arguments that do nothing while they are None."""

    text: str
    reads: tuple[Chain, ...]
    given: tuple[tuple[str, Chain], ...]
    calls: tuple[FunctionType, ...]
    hands_itself_on: bool


def written(function: FunctionType) -> Written:
    """Read once for each function."""
    if function not in _KNOWN:
        _KNOWN[function] = _read(function)
    return _KNOWN[function]


def _read(function: FunctionType) -> Written:
    try:
        tree = ast.parse(textwrap.dedent(inspect.getsource(function))).body[0]
    except (OSError, TypeError, SyntaxError):  # typed into a console, or a lambda inside an expression
        return _compiled(function)
    cells = zip(function.__code__.co_freevars, function.__closure__ or (), strict=False)
    scope = {**function.__globals__, **{name: cell.cell_contents for name, cell in cells}}
    eraser = _Eraser(_first_argument(function), scope, _own_names(tree))
    text = ast.unparse(eraser.visit(tree))
    return Written(text, tuple(eraser.reads), tuple(eraser.given), tuple(eraser.calls), eraser.hands_itself_on)


def _compiled(function: FunctionType) -> Written:
    """Where Python keeps no source: the byte code, which may read any setting of its module."""
    code = function.__code__
    constants = [value for value in code.co_consts if not isinstance(value, CodeType)]
    return Written(repr((code.co_code, code.co_names, constants)), (), (), (), True)


def _first_argument(function: FunctionType) -> str | None:
    """`self`, for a function that stands in a class."""
    is_method = "." in function.__qualname__.rpartition("<locals>.")[2]
    return function.__code__.co_varnames[0] if is_method and function.__code__.co_argcount else None


def _own_names(tree: ast.AST) -> set[str]:
    stored = {node.id for node in ast.walk(tree) if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store)}
    inner = {node.name for node in ast.walk(tree) if isinstance(node, ast.FunctionDef)}
    return stored | inner | {node.arg for node in ast.walk(tree) if isinstance(node, ast.arg)}


class _Eraser(ast.NodeTransformer):
    """Takes names out of one function and remembers what they stood for."""

    def __init__(self, owner: str | None, scope: Mapping[str, Any], own: set[str]) -> None:
        self.owner, self.scope, self.own = owner, scope, own
        self.reads: list[Chain] = []
        self.given: list[tuple[str, Chain]] = []
        self.calls: list[FunctionType] = []
        self.hands_itself_on = False
        self._numbers: dict[str, int] = {}
        self._called = 0

    def visit_FunctionDef(self, node: ast.FunctionDef) -> ast.AST:
        node.name, node.decorator_list, node.returns = self._numbered(node.name), [], None
        return self.generic_visit(node)

    def visit_arguments(self, node: ast.arguments) -> ast.AST:
        """A default of None says only that the argument may be left out."""
        node.defaults = [default for default in node.defaults if ast.unparse(default) != "None"]
        return self.generic_visit(node)

    def visit_arg(self, node: ast.arg) -> ast.AST:
        return ast.arg(arg=self._numbered(node.arg))

    def visit_AnnAssign(self, node: ast.AnnAssign) -> ast.AST | None:
        return None if node.value is None else self.visit(ast.Assign([node.target], node.value, lineno=0))

    def visit_Expr(self, node: ast.Expr) -> ast.AST | None:
        logs = isinstance(node.value, ast.Call) and ast.unparse(node.value.func).partition(".")[0] in _LOGS
        return None if logs or isinstance(node.value, ast.Constant) else self.generic_visit(node)

    def visit_Raise(self, node: ast.Raise) -> ast.AST:
        return ast.Raise(exc=None, cause=None)

    def visit_Name(self, node: ast.Name) -> ast.AST:
        if node.id == self.owner:
            self.hands_itself_on = True
            return ast.Name("self", node.ctx)
        return ast.Name(self._numbered(node.id) if node.id in self.own else self._from_outside(node.id), node.ctx)

    def visit_Attribute(self, node: ast.Attribute) -> ast.AST:
        chain = self._chain(node)
        return self.generic_visit(node) if chain is None else self._hole(chain, node.ctx)

    def visit_Call(self, node: ast.Call) -> ast.AST:
        chain = self._chain(node)
        if chain is not None:
            return self._hole(chain, ast.Load())
        self._called += 1
        place = self._called
        for keyword in list(node.keywords):
            chain = self._chain(keyword.value)
            if chain is not None and keyword.arg is not None:
                node.keywords.remove(keyword)
                self.given.append((f"{keyword.arg}@{place}", chain))
        return self.generic_visit(node)

    def _chain(self, node: ast.AST) -> Chain | None:
        """What is read of `self`, by dots or by getattr with no default of its own; None for anything else."""
        if isinstance(node, ast.Attribute):
            above = self._root(node.value)
            return None if above is None else (*above, node.attr)
        if not isinstance(node, ast.Call) or ast.unparse(node.func) != "getattr" or len(node.args) < 2:
            return None
        above, name = self._root(node.args[0]), node.args[1]
        plain = all(isinstance(rest, ast.Constant) and rest.value is None for rest in node.args[2:])
        if above is None or not plain or not isinstance(name, ast.Constant):
            return None
        return (*above, str(name.value))

    def _root(self, node: ast.AST) -> Chain | None:
        if isinstance(node, ast.Name):
            return () if node.id == self.owner and self.owner is not None else None
        is_super = isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "super"
        return (SUPER,) if is_super else self._chain(node)

    def _hole(self, chain: Chain, context: ast.expr_context) -> ast.AST:
        if chain not in self.reads:
            self.reads.append(chain)
        return ast.Name(f"hole_{self.reads.index(chain)}", context)

    def _numbered(self, name: str) -> str:
        return f"own_{self._numbers.setdefault(name, len(self._numbers))}"

    def _from_outside(self, name: str) -> str:
        value = self.scope.get(name)
        if isinstance(value, ModuleType):
            return value.__name__  # nn.functional and F are one
        function = inspect.unwrap(value) if callable(value) else None
        if isinstance(function, FunctionType) and _is_of_one_family(function):
            if function not in self.calls:
                self.calls.append(function)
            return f"called_{self.calls.index(function)}"
        return getattr(value, "__qualname__", None) or (name if value is None else type(value).__qualname__)


def _is_of_one_family(function: FunctionType) -> bool:
    """Whether another file may have another function of this name. What a library shares is known by its name."""
    package, _, inside = function.__module__.partition(".")
    return package != "torch" and (package != "transformers" or inside.startswith("models."))
