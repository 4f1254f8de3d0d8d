import csv
import io

import numpy as np
import pytest
from rich.console import Console

from trust_seg_ros.evaluation.meta.study import Spread
from trust_seg_ros.evaluation.report.tabular import Column, Table

TABLE = Table(
    "models",
    "Models",
    (Column("model", "text"), Column("n", "count"), Column("ACC, %"), Column("σ", "number"), Column("λ", "power")),
    (
        ("L1 | all", 12345, Spread(0.81907, 0.00128), 0.18204, 0.000512),
        ("one run", 0, Spread(0.5, np.nan), np.nan, np.nan),
        ("small", 1, Spread(np.nan, np.nan), -0.0001, 0.5),
    ),
)


def test_spread_is_of_the_runs_themselves():
    assert Spread.of([1.0, 3.0]) == Spread(2.0, 1.0)  # not sqrt(2): the runs are not a sample
    assert Spread.of([1.0, np.nan, 3.0]) == Spread(2.0, 1.0)
    mean, std = Spread.of([4.0])
    assert mean == 4.0
    assert np.isnan(std)
    assert np.isnan(Spread.of([])).all()


def test_markdown_by_hand():
    assert TABLE.markdown().splitlines() == [
        "| model | n | ACC, % | σ | λ |",
        "| :--- | ---: | ---: | ---: | ---: |",
        "| L1 \\| all | 12,345 | 81.91 ± 0.13 | 0.182 | 5.1e-04 |",
        "| one run | 0 | 50.00 | - | - |",
        "| small | 1 | - | 0.000 | 5.0e-01 |",
    ]


def test_csv_keeps_shares_and_splits_the_deviation_off():
    rows = list(csv.reader(io.StringIO(TABLE.csv())))
    assert rows == [
        ["model", "n", "ACC", "ACC std", "σ", "λ"],
        ["L1 | all", "12345", "0.81907", "0.00128", "0.18204", "0.000512"],
        ["one run", "0", "0.5", "-", "-", "-"],
        ["small", "1", "-", "-", "-0.0001", "0.5"],
    ]


def test_the_terminal_shows_every_cell():
    console = Console(width=100, record=True, file=io.StringIO())
    console.print(TABLE.rich())
    text = console.export_text()
    for cell in ("Models", "L1 | all", "12,345", "81.91 ± 0.13", "0.182", "5.1e-04"):
        assert cell in text


@pytest.mark.parametrize(("value", "text"), [(-0.5, "-0.500"), (-0.0004, "0.000"), (0.0, "0.000"), (np.nan, "-")])
def test_a_rounded_zero_has_no_sign(value, text):
    assert Column("x", "number").text(value) == text
