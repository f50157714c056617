"""JSON and CSV hold the numbers of the answer itself."""

from __future__ import annotations

import csv
import io
import json
import math
from typing import Any

import pandas as pd
import pytest

from garage_nb.command.output import written
from garage_nb.garage import Garage
from garage_nb.registry.specs import ModelSpec
from tests.families import tiny


@pytest.fixture(scope="module")
def garage() -> Garage:
    return Garage(tiny("llama"))


def answers(garage: Garage) -> dict[str, Any]:
    return {
        "capture": garage.capture([1, 2, 3]),
        "parts": garage.parts(),
        "report": garage.report(),
        "status": garage.status(),
        "verify": garage.verify(),
        "models": garage.models(),
        "doctor": garage.doctor(),
        "compare": garage.compare(tiny("gpt2")),
        "registry": garage.registry(),
        "plot": garage.plot([1, 2, 3]),
        "extract": garage.extract("attention_1"),
        "generate": Garage("showroom").generate("The capital of France is", tokens=2),
        "sweep": Garage("showroom").sweep("The capital of France is", parts="layer_0", factors="0,1"),
        "help": garage.help(),
    }


@pytest.mark.parametrize("name", answers(Garage(tiny("llama"))))
def test_json_and_csv_have_a_row_for_each_row_of_the_frame(garage: Garage, name: str) -> None:
    answer = answers(garage)[name]
    frame = answer.frame()

    rows = json.loads(written(answer, "json"))
    lines = list(csv.DictReader(io.StringIO(written(answer, "csv"))))

    assert len(rows) == len(lines) == len(frame)
    assert [list(row) for row in rows[:1]] == [list(line) for line in lines[:1]]


def test_numbers_are_exact_and_names_come_first(garage: Garage) -> None:
    answer = garage.capture([1, 2, 3])

    rows = json.loads(written(answer, "json"))

    assert [row["mean"] for row in rows] == list(answer.frame()["mean"])
    assert [next(iter(row)) for row in rows] == [answer.frame().index.name] * len(rows)
    assert [next(iter(row.values())) for row in rows] == list(answer.frame().index)


def test_what_is_not_defined_is_null(garage: Garage) -> None:
    answer = garage.capture([1])

    assert math.isnan(answer.frame()["effective_dimension"].iloc[0])
    assert json.loads(written(answer, "json"))[0]["effective_dimension"] is None
    assert json.loads(written(garage.parts("embedding"), "json"))[0]["heads"] is None


def test_a_spec_is_written_whole(garage: Garage) -> None:
    assert ModelSpec.from_json(json.loads(written(garage.spec, "json"))) == garage.spec
    assert len(pd.read_csv(io.StringIO(written(garage.spec, "csv")))) == len(garage.spec.parts)


def test_a_table_is_what_a_terminal_shows(garage: Garage) -> None:
    assert written(garage.parts(), "table") == repr(garage.parts())
