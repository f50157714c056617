"""Corpus: texts out of files, datasets and iterables, lazily and one after the other."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import partial
from itertools import chain, islice
from pathlib import Path

from ...errors import InputError
from .entry import Entry, Fields, Raw
from .found import demand_fields, demand_some
from .length import is_read_once, length_of
from .lines import lines, objects
from .parquet import rows
from .text import SetAside

LOOKED = 100  # entries in which a field must be met


@dataclass(frozen=True, eq=False)
class Corpus:
    """Every entry in its order, each an Entry or set aside, and anew each time unless it is made of an iterator.

    InputError before the first entry where there is none, or where none of the first 100 has the field. `length` tells
    how many there are, None where only reading them could; `once` is whether they can be read a single time.
    """

    name: str
    read: Callable[[], Iterator[Raw]]
    fields: Fields
    length: Callable[[], int | None]
    once: bool = False

    def __iter__(self) -> Iterator[Entry | SetAside]:
        raws = self.read()
        first = list(islice(raws, LOOKED))
        demand_some(first, self.name)
        demand_fields([raw if isinstance(raw, SetAside) else raw[1] for raw in first], self.fields)
        return map(self.fields.entry, chain(first, raws))


def corpus_of(source: str | Path | Iterable[object], field: str = "text", label: str = "") -> Corpus:
    """A file of texts (.txt, .jsonl, either with .gz, or .parquet), a dataset, or any iterable of texts, ids and rows.

    `field` names what is the text in a row, `label` what a probe is to tell. InputError for a file that is not there,
    cannot be read or has no such field.
    """
    fields = Fields(field, label)
    if isinstance(source, str | Path):
        corpus = _stored(Path(source).expanduser(), fields)
        next(iter(corpus))
        return corpus
    if isinstance(source, Mapping | bytes) or not isinstance(source, Iterable):
        raise InputError(
            f"A corpus was expected, not {type(source).__name__}.",
            "Give a file, a list of texts, or one split of a dataset: dataset['train'].",
        )
    once = is_read_once(source)
    return Corpus(type(source).__name__, partial(_given, source), fields, partial(length_of, source), once)


def _stored(path: Path, fields: Fields) -> Corpus:
    ways: dict[str, Callable[[Path], Iterator[Raw]]] = {
        ".txt": lines,
        ".txt.gz": lines,
        ".jsonl": objects,
        ".jsonl.gz": objects,
        ".parquet": partial(rows, fields=fields),
    }
    way = next((way for ending, way in ways.items() if path.name.lower().endswith(ending)), None)
    if way is None:
        raise InputError(f"{path} is no kind of file that holds a corpus.", f"Give one that ends in {', '.join(ways)}.")
    if not path.is_file():
        raise InputError(f"There is no file {path}.", "Check the name and the folder.")
    return Corpus(path.name, partial(way, path), fields, partial(length_of, path))


def _given(source: Iterable[object]) -> Iterator[Raw]:
    """Texts count from 0, as in a list."""
    return ((f"text {number}", value) for number, value in enumerate(source))
