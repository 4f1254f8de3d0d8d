"""The full-resolution logits are never held."""

import ctypes
from pathlib import Path

import pytest
import torch

from trust_seg_ros.types import LogitMaps
from trust_seg_ros.uncertainty import uncertainty_maps, warm_up


def resident_mb(key):
    line = next(line for line in Path("/proc/self/status").read_text().splitlines() if line.startswith(key))
    return int(line.split()[1]) / 1024


@pytest.mark.parametrize("faulty", [False, True])
def test_a_large_image_takes_less_than_64_mb_beyond_its_maps(faulty):
    warm_up()
    logits = torch.randn(19, 256, 512, generator=torch.Generator().manual_seed(1))
    if faulty:
        logits[3, 100, 100] = torch.nan
    try:
        ctypes.CDLL("libc.so.6").malloc_trim(0)
        Path("/proc/self/clear_refs").write_text("5")
    except OSError as error:
        pytest.skip(f"the peak of resident memory cannot be reset here: {error}")
    before = resident_mb("VmRSS")
    got = uncertainty_maps(LogitMaps(logits, (1024, 2048)))
    extra = resident_mb("VmHWM") - before - 13 * 1024 * 2048 / 2**20
    assert got.classes.shape == (1024, 2048)
    assert extra < 64.0
