"""trust-seg planner: its report, what it keeps, and what it refuses."""

from __future__ import annotations

import csv
from dataclasses import asdict

import pytest

from trust_seg_ros.cli import main
from trust_seg_ros.commands import planner
from trust_seg_ros.evaluation.ground import drives, judging, study
from trust_seg_ros.synthetic import DriveSettings


def rows_of(path):
    with path.open(encoding="utf-8") as lines:
        return list(csv.DictReader(lines))


def test_what_the_options_offer_is_what_the_study_has() -> None:
    assert {**planner.DRIVES, "plane": planner.PLANES[1]} == asdict(study.Size())
    assert planner.PLANES == judging.PLANES


def test_drives_that_choose_and_drives_that_judge_share_nothing() -> None:
    ranges = (drives.MAPS, drives.CHOICE, drives.JUDGED, drives.CLEAR)
    every = [seed for some in ranges for seed in some]
    assert len(every) == len(set(every))
    assert min(every) > 30199  # seeds below belong to training, fitting and docs/results/ood.md
    assert not set(drives.CHOSEN_WITH) & set(drives.JUDGED_BY)


@pytest.mark.parametrize(
    ("words", "text"),
    [
        (["--maps", "51"], "--maps 51: expected 0 to 50 drives"),
        (["--clear", "-1"], "--clear -1"),
        (["--chosen", "0"], "at least one drive that stop rules are chosen on"),
        (["--maps", "0", "--judged", "0"], "at least one of the two"),
    ],
)
def test_impossible_numbers_are_refused(tmp_path, capsys, words, text) -> None:
    assert main(["planner", "--out", str(tmp_path / "out"), *words]) == 2
    assert text in capsys.readouterr().err


@pytest.fixture
def short(monkeypatch):
    """Small pictures and short drives of one object."""
    monkeypatch.setattr(drives, "SIZE", (120, 160))
    monkeypatch.setattr(drives, "FIRST_M", 22.0)
    monkeypatch.setattr(drives, "APART_M", 3.0)
    assert DriveSettings(drives.SIZE).size == (120, 160)


@pytest.mark.slow
@pytest.mark.usefixtures("short")
def test_a_short_study_writes_its_tables_and_goes_on_from_what_it_kept(tmp_path) -> None:
    cache = tmp_path / "cache"
    words = ["planner", "--cache", str(cache), "--maps", "1", "--chosen", "1", "--judged", "1", "--clear", "1"]
    assert main([*words, "--out", str(tmp_path / "out")]) == 0
    feet, cells, stops = (rows_of(tmp_path / "out" / f"{name}.csv") for name in ("feet", "cells", "stops"))
    assert [row["camera"] for row in feet] == [c.name for c in drives.CAMERAS for _ in range(2 * len(judging.PLANES))]
    on_true = [row for row in feet if (row["masks"], row["plane"]) == ("true masks", "true")]
    assert all(0 < float(row["median"]) < 0.1 and float(row["matched"]) > 0.5 for row in on_true)
    assert all(float(row["matched"]) > 0.1 for row in feet)
    exact = [row for row in cells if row["map"].startswith("true masks")]
    hidden = "hidden cells in a frame"
    assert all(float(row["of them occupied"]) < 0.01 * float(row[hidden]) for row in exact)
    assert all(float(row["of them free"]) < 0.01 * float(row[hidden]) for row in exact)
    assert [row["what the planner gets"] for row in stops] == [v.name for v in judging.VARIANTS]
    assert {row["objects"] for row in stops} == {"3"}
    assert (tmp_path / "out" / "stops.png").is_file()
    kept = sorted(path.name for path in cache.iterdir())
    assert main([*words, "--out", str(tmp_path / "again")]) == 0
    assert sorted(path.name for path in cache.iterdir()) == kept
    for name in ("feet", "cells", "stops", "frontier"):
        assert (tmp_path / "again" / f"{name}.csv").read_text() == (tmp_path / "out" / f"{name}.csv").read_text()
