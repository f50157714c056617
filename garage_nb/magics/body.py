"""Body: the cell under a %%garage line, run as the notebook would run it.

The shell's own `run_cell` would show an error and answer "ok" all the same, so that Run All goes on; raising another
one afterwards shows two. Here the body's own error leaves the cell, once, and its last expression is the cell's answer.
"""

from __future__ import annotations

import ast
import inspect
from types import CodeType
from typing import Any

from ..errors import InputError


def run_body(shell: Any, body: str) -> Any:
    """What the last expression gives, None when a `;` ends it. An `await` outside a function is an InputError."""
    __tracebackhide__ = True
    source = shell.transform_cell(body)
    name = shell.compile.cache(source, shell.execution_count, raw_code=body)
    tree = shell.transform_ast(shell.compile.ast_parse(source, filename=name))
    _demand_no_await(compile(tree, name, "exec", shell.compile.flags | ast.PyCF_ALLOW_TOP_LEVEL_AWAIT))
    last = tree.body.pop() if tree.body and isinstance(tree.body[-1], ast.Expr) else None
    shell.ex(compile(tree, name, "exec", shell.compile.flags))
    if last is None:
        return None
    value = shell.ev(compile(ast.Expression(last.value), name, "eval", shell.compile.flags))
    return None if _is_silenced(body) else value


def _demand_no_await(code: CodeType) -> None:
    if code.co_flags & inspect.CO_COROUTINE:
        raise InputError(
            "The cell awaits something, and a magic cannot wait for it.",
            "Write in a plain cell: with garage.trial(): … await …",
        )


def _is_silenced(body: str) -> bool:
    """Whether a `;` ends it, comments aside."""
    import tokenize
    from io import StringIO

    aside = (tokenize.COMMENT, tokenize.NL, tokenize.NEWLINE, tokenize.ENDMARKER, tokenize.INDENT, tokenize.DEDENT)
    tokens = [token for token in tokenize.generate_tokens(StringIO(body).readline) if token.type not in aside]
    return bool(tokens) and tokens[-1].string == ";"
