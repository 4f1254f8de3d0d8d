"""A slice of ``tools/fuzz.py``: mutated messages and files are decoded or refused, never anything else."""

import importlib.util
import sys

import pytest
from places import ROOT


def fuzzer():
    spec = importlib.util.spec_from_file_location("fuzz", ROOT / "tools" / "fuzz.py")
    module = importlib.util.module_from_spec(spec)
    sys.modules["fuzz"] = module  # dataclasses look it up
    spec.loader.exec_module(module)
    return module


FUZZ = fuzzer()
IMAGES = ("image message", "compressed message", "jpeg", "png", "tiff", "webp", "bmp")


@pytest.mark.parametrize("name", IMAGES)
def test_mutated_inputs_are_read_or_refused(name):
    outcome = FUZZ.fuzz(FUZZ.TARGETS[name], 400, seed=7)
    assert outcome.foreign == {}
    assert outcome.refused > 100
    assert outcome.accepted + outcome.refused == 400
    assert outcome.slowest_s < 2, "a small file must not ask for gigabytes"


def test_an_exception_that_is_not_ours_is_found():
    def careless(data):
        if len(data) < 50:
            raise KeyError(len(data))

    outcome = FUZZ.fuzz(FUZZ.Target(lambda: {"text": b"x" * 100}, careless), 200)
    assert outcome.foreign.total() > 5
    (what, *_), (data, *_) = outcome.foreign, outcome.first.values()
    assert what.startswith("KeyError at test_fuzzed_images.py:")
    assert len(data) < 50


def test_the_same_seed_gives_the_same_inputs():
    seeds = FUZZ.TARGETS["png"].seeds()
    assert list(FUZZ.mutations(seeds, 50, 3)) == list(FUZZ.mutations(seeds, 50, 3))
    assert list(FUZZ.mutations(seeds, 50, 3)) != list(FUZZ.mutations(seeds, 50, 4))
