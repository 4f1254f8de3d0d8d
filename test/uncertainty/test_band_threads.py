"""Bands of rows on several threads."""

import os
import subprocess
import sys
import threading
from concurrent.futures import ThreadPoolExecutor

import pytest
import torch

from trust_seg_ros.types import LogitMaps
from trust_seg_ros.uncertainty import reference_maps, uncertainty_maps
from trust_seg_ros.uncertainty.threads import run_bands


@pytest.mark.parametrize("rows", [1, 2, 15, 16, 17, 360, 1024])
@pytest.mark.parametrize("threads", [1, 2, 3, 64, None])
def test_bands_cover_every_row_once(rows, threads):
    seen = []
    run_bands(lambda first, last: seen.extend(range(first, last)), rows, threads)
    assert sorted(seen) == list(range(rows))


def test_an_exception_of_a_band_reaches_the_caller():
    def work(first, last):
        if last == 100:
            raise ValueError("last band")

    with pytest.raises(ValueError, match="last band"):
        run_bands(work, 100, 2)


def test_helpers_do_take_part():
    names, both = set(), threading.Barrier(2)

    def work(first, last):
        if threading.current_thread().name not in names:
            names.add(threading.current_thread().name)
            both.wait(20)

    run_bands(work, 64, 2)
    assert len(names) == 2


def test_many_callers_at_once_each_get_their_own_maps():
    cases = [LogitMaps(torch.randn(4, 9, 8, generator=torch.Generator().manual_seed(k)), (72, 64)) for k in range(16)]
    with ThreadPoolExecutor(8) as pool:
        found = list(pool.map(uncertainty_maps, cases))
    for got, case in zip(found, cases, strict=True):
        torch.testing.assert_close(got.entropy, reference_maps(case).entropy, atol=1e-5, rtol=0)


FORKED = """
import os, torch
from trust_seg_ros.types import LogitMaps
from trust_seg_ros.uncertainty import uncertainty_maps
maps = LogitMaps(torch.zeros(3, 20, 20), (80, 80))
uncertainty_maps(maps, threads=2)
child = os.fork()
if child == 0:
    os._exit(0 if uncertainty_maps(maps, threads=2).entropy.min() > 0.99 else 1)
print("child", os.waitpid(child, 0)[1])
"""


@pytest.mark.slow
@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")
def test_a_forked_process_starts_its_own_threads():
    done = subprocess.run([sys.executable, "-c", FORKED], capture_output=True, text=True, timeout=120)
    assert "child 0" in done.stdout, done.stderr
