"""Model card: README.md of a hybrid, as the hub reads it."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from ...inject.edit import Edit
from ...plain import one_line
from .kept_edits import FILE
from .proof import Proof, Proofs

_SIGNS = re.compile(r"[\\`*_\[\]<>|&~$#]")


def model_card(proofs: Proofs, reloaded: Proof, made_of: Mapping[str, Any], stays: Iterable[Edit] = ()) -> str:
    """`stays` are edits of the sheet that no weight holds."""
    sheet = made_of["sheet"]
    ids = list(dict.fromkeys(one_line(str(donor["model_id"])) for donor in made_of["donors"].values()))
    grafts = [one_line(line) for line in made_of["lines"]]
    lines = [
        "---",
        "library_name: transformers",
        "tags: [merge, garage_nb]",
        "base_model:",
        *(f"- {_quoted(name)}" for name in ids),
        "---",
        "",
        f"# {_plain(sheet['name'])}",
        "",
        f"Put together with garage_nb from parts of {', '.join(map(_plain, ids))}.",
        "What may be done with it, their licences say.",
        "",
        "```",
        f"base {one_line(sheet['base'])}",
        *grafts,
        "```",
        "",
        *_apart([one_line(str(edit)) for edit in stays]),
        "What was proved when it was built, on a short fixed prompt. None of it says how good the model is.",
        "",
        "| claim | found |",
        "| --- | --- |",
        *_rows([*proofs.rows, reloaded]),
        "",
        "`config.json` holds the build sheet, and `garage_build.json` the checksums of all files.",
        "",
    ]
    return "\n".join(lines)


def _apart(edits: list[str]) -> list[str]:
    if not edits:
        return []
    return [
        f"Of these, {len(edits)} are not in the weights:" if len(edits) > 1 else "One of these is not in the weights:",
        "",
        "```",
        *edits,
        "```",
        "",
        f"They are kept in `{FILE}`, from which `Garage().load` of this folder puts them in force. Whatever else opens "
        "it, plain transformers too, runs the model without them.",
        "",
    ]


def _rows(proofs: list[Proof]) -> Iterator[str]:
    for proof in proofs:
        yield f"| {_plain(proof.claim)} | {_plain(proof.found)} |"


def _plain(text: str) -> str:
    """As text, whatever Markdown would make of its signs."""
    return _SIGNS.sub(r"\\\g<0>", one_line(text))


def _quoted(text: str) -> str:
    """As YAML reads it, whatever is in it."""
    return '"' + text.replace("\\", "\\\\").replace('"', '\\"') + '"'
