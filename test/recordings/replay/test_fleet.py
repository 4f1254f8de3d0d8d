"""Several recordings at once: all are done, whatever becomes of one, and it does not show who did the work."""

import pytest
from fleet_bench import assert_same, listed, make_fleet, marker, replay, white_bag  # noqa: F401

pytestmark = pytest.mark.slow

GOOD = {"day1/drive": "drive", "day2/drive": "day2_drive", "day2/stills": "stills"}
"""Recordings of the fleet that can be read, and where their output lies."""


@pytest.fixture(scope="module")
def fleet(tmp_path_factory, marker):  # noqa: F811
    """The pattern, and the output of one process."""
    folder = tmp_path_factory.mktemp("fleet")
    pattern = make_fleet(folder)
    assert replay(pattern, folder / "alone", "--workers", 1) == 1
    return pattern, folder / "alone"


def states(out):
    return {name: row["state"].partition(":")[0] for name, row in listed(out).items()}


def test_all_that_can_be_read_are_done_and_the_other_is_listed(fleet):
    rows = listed(fleet[1])
    assert {name: rows[name]["state"] for name in GOOD} == dict.fromkeys(GOOD, "complete")
    assert rows["day2/broken"]["state"].startswith("left out: ")
    assert rows.keys() == {*GOOD, "day2/broken"}
    assert {name: rows[name]["frames"] for name in GOOD} == {"day1/drive": "8", "day2/drive": "5", "day2/stills": "5"}
    assert {path.name for path in fleet[1].iterdir()} == {*GOOD.values(), "replay.csv"}


def test_done_again_nothing_is_done(fleet):
    pattern, alone = fleet
    before = {path: path.stat().st_mtime_ns for path in alone.rglob("*") if path.name != "replay.csv"}
    good = [pattern.replace("day*/*", name) for name in GOOD]
    assert replay(good, alone, "--workers", 2) == 0
    assert set(states(alone).values()) == {"complete already"}
    assert {path: path.stat().st_mtime_ns for path in before} == before != {}


def test_workers_that_are_killed_cost_time_and_a_recording_that_kills_them_all_costs_itself(fleet, tmp_path, marker):  # noqa: F811
    marker.unlink()
    white, out = white_bag(tmp_path / "white"), tmp_path / "out"
    assert replay([fleet[0], white], out, "--workers", 2) == 1
    assert marker.exists()
    assert states(out) == {
        f"{tmp_path.name}/white": "failed",
        **dict.fromkeys(GOOD, "complete"),
        "day2/broken": "left out",
    }
    rows = listed(out)
    assert "a worker ended in the middle of its chunk" in rows[f"{tmp_path.name}/white"]["state"]
    tried_again = " ".join(row["retried"] for row in rows.values())
    assert tried_again.count("a worker ended in the middle of its chunk") == 3  # the first of all, and two of white's
    assert rows[f"{tmp_path.name}/white"]["retried"].count("chunk 1: ") == 2
    for name in GOOD.values():
        assert_same(out / name, fleet[1] / name)
