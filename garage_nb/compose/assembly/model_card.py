"""Model card: README.md of what was built, as the hub reads it: a hybrid by its sheet, or a model with less in it."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from ...inject.edit import Edit
from ...plain import one_line
from .kept_edits import FILE
from .proof import Proof, Proofs
from .provenance import SHEET

_SIGNS = re.compile(r"[\\`*_\[\]<>|&~$#]")


@dataclass(frozen=True)
class _Kind:
    tag: str
    made: str  # of which models
    told: str


_HYBRID = _Kind(
    "merge",
    "Put together with garage_nb from parts of {}.\nWhat may be done with it, their licences say.",
    "the build sheet",
)
_SLICE = _Kind(
    "pruned",
    "{}, made smaller with garage_nb: some of what was in it is gone.\nWhat may be done with it, that model's licence "
    "says.",
    "what stayed",
)


def model_card(proofs: Proofs, reloaded: Proof, made_of: Mapping[str, Any], stays: Iterable[Edit] = ()) -> str:
    """`stays` are edits of the sheet that no weight holds."""
    kind = _HYBRID if SHEET in made_of else _SLICE
    ids = list(dict.fromkeys(one_line(str(donor["model_id"])) for donor in made_of["donors"].values()))
    base = [f"base {one_line(made_of[SHEET]['base'])}"] if SHEET in made_of else []
    lines = [
        "---",
        "library_name: transformers",
        f"tags: [{kind.tag}, garage_nb]",
        "base_model:",
        *(f"- {_quoted(name)}" for name in ids),
        "---",
        "",
        f"# {_plain(proofs.name)}",
        "",
        kind.made.format(", ".join(map(_plain, ids))),
        "",
        "```",
        *base,
        *(one_line(line) for line in made_of["lines"]),
        "```",
        "",
        *_apart([one_line(str(edit)) for edit in stays]),
        "What was proved when it was built, on a short fixed prompt. None of it says how good the model is.",
        "",
        "| claim | found |",
        "| --- | --- |",
        *_rows([*proofs.rows, reloaded]),
        "",
        f"`config.json` holds {kind.told}, and `garage_build.json` the checksums of all files.",
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
