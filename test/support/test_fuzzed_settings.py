"""A slice of ``tools/fuzz_settings.py``: mutated files of settings are read or refused, never anything else."""

import importlib
import sys

import pytest
from places import ROOT


@pytest.fixture(scope="module")
def tools():
    sys.path.insert(0, str(ROOT / "tools"))
    try:
        return importlib.import_module("fuzz"), importlib.import_module("fuzz_settings")
    finally:
        sys.path.pop(0)


NAMES = ("label set", "label map", "parameter file", "parameter option", "bag metadata", "meta model", "weights",
         "cache of a study")  # fmt: skip


@pytest.mark.parametrize("name", NAMES)
def test_mutated_files_are_read_or_refused(tools, name):
    fuzz, settings = tools
    assert set(settings.SETTINGS) == set(NAMES)
    seeds, run = settings.SETTINGS[name]
    count = 40 if name == "weights" else 300
    outcome = fuzz.fuzz(fuzz.Target(seeds, run), count, seed=7)
    assert outcome.foreign == {}
    assert outcome.accepted + outcome.refused == count
    assert outcome.refused > 0 or name == "cache of a study"  # a damaged one is made again
