"""Completion: Tab on a %garage line, in the notebook and in the terminal. What may be written next, `offers` knows.

IPython asks matchers since 8.6. Older ones have a hook, which knows no types, replaces only what stands behind the
last of its delimiters, and cannot mend a word.
"""

from __future__ import annotations

import re
from contextlib import suppress
from dataclasses import replace
from typing import Any

from ..offers import Offer, Scene, offers, outlined
from ..verbs import Text, quoted, verbs_of
from ..words import begun
from .options import HELP

MATCHER = "garage_nb.language"
HOOK = "complete_command"
_LINE = re.compile(r"(?:[^=%]*=)?\s*(?P<mark>%%?)garage\s(?P<line>.*)", re.DOTALL)
_WORD = re.compile(r"""(?P<option>--[\w-]+=)?(?P<mark>["']?)(?P<text>[^"'\\]*)""", re.DOTALL)
_VALUED = {"--as"}
_IN_CELLS = {"--fmt"}


def register(shell: Any, magics: Any) -> None:
    """Put completion in, in place of what an earlier load may have left."""
    unregister(shell)
    try:
        from IPython.core.completer import SimpleCompletion, context_matcher
    except ImportError:
        shell.set_hook(HOOK, lambda shell, event: _for_hook(magics, event), re_key=_LINE.pattern)
        return

    @context_matcher(priority=100, identifier=MATCHER)  # type: ignore[untyped-decorator]
    def matcher(context: Any) -> dict[str, Any]:
        fragment, found = completed(magics, context.text_until_cursor)
        completions = [SimpleCompletion(offer.text, type=offer.kind) for offer in found]
        return {"completions": completions, "matched_fragment": fragment, "suppress": bool(found), "ordered": True}

    shell.Completer.custom_matchers.append(matcher)


def unregister(shell: Any) -> None:
    matchers = shell.Completer.custom_matchers
    matchers[:] = [matcher for matcher in matchers if getattr(matcher, "matcher_identifier", "") != MATCHER]
    for hooks in [shell.strdispatchers[HOOK].regexs] if HOOK in shell.strdispatchers else []:
        for key in [key for key in hooks if key.pattern == _LINE.pattern]:
            del hooks[key]


def completed(magics: Any, text: str) -> tuple[str, list[Offer]]:
    """What of the text up to the cursor is to be replaced, and with what. Never fails: a Tab is no place for errors."""
    line = _LINE.fullmatch(text)
    if line is None:
        return "", []
    with suppress(Exception):
        before, word = begun(line["line"])
        return _completed(before, word, _scene(magics, in_cell=line["mark"] == "%%"))
    return "", []


def _completed(before: list[str], word: str, scene: Scene) -> tuple[str, list[Offer]]:
    written = _WORD.fullmatch(word)
    if written is None:
        return "", []
    option, text = written["option"] or "", written["text"]
    bare = option + text if option or not written["mark"] else Text(text)
    fragment, found = offers(before, bare, scene)
    return fragment, found if written["mark"] else [_spelt(offer) for offer in found]


def _spelt(offer: Offer) -> Offer:
    """As one word of the line, whatever a file is called."""
    return replace(offer, text=quoted(offer.text)) if offer.kind in ("file", "model") else offer


def _scene(magics: Any, *, in_cell: bool) -> Scene:
    made, shell = magics.made, magics.shell
    verbs = outlined() if made is None else verbs_of(type(made))
    spec = made.spec if made is not None and made.loaded else None
    hidden = shell.user_ns_hidden
    variables = {name: value for name, value in shell.user_ns.items() if name not in hidden and name[0] != "_"}
    options = {name: name in _VALUED for name in HELP if in_cell or name not in _IN_CELLS}
    return Scene(verbs, spec, variables, options, in_cell)


def _for_hook(magics: Any, event: Any) -> list[str]:
    """Only what stands behind the last delimiter is replaced, so the rest of what was written must stay as it is."""
    fragment, found = completed(magics, event.text_until_cursor)
    kept = fragment[: len(fragment) - len(event.symbol)]
    return [offer.text[len(kept) :] for offer in found if offer.text.startswith(kept)]
