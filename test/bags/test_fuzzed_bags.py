"""A slice of ``tools/fuzz.py``: mutated bags are read as far as they go or refused, never anything else."""

import pytest

pytest.importorskip("rosbags", reason="needs the library rosbags")
import fuzz
import fuzz_bags


@pytest.mark.parametrize("kind", ["mcap", "sqlite", "ros1"])
def test_mutated_bags_are_read_or_refused(kind):
    outcome = fuzz.fuzz(fuzz.TARGETS[f"{kind} bag"], 300, seed=1)
    assert not outcome.foreign
    assert min(outcome.accepted, outcome.refused) > 30


@pytest.mark.parametrize("kind", ["mcap", "sqlite", "ros1"])
def test_whole_bags_are_read_whole(kind):
    assert {name: fuzz_bags.read(data) for name, data in fuzz_bags.seeds(kind).items()} == dict.fromkeys(
        fuzz_bags.seeds(kind), 3 if kind == "ros1" else 6
    )
