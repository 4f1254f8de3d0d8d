"""Steps of the day with a GPU that ask other programs: facts of the machine, compute-sanitizer, tests with CUDA."""

from __future__ import annotations

import importlib.util
import os
import platform
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[2]
LIBRARIES = ("torch", "triton", "numba", "numpy", "opencv-python-headless", "cupy-cuda12x", "cupy-cuda13x", "pytest")
QUERY = "driver_version,clocks.sm,clocks.mem,power.limit,temperature.gpu"
ERRORS = re.compile(r"(?:ERROR|RACECHECK) SUMMARY: (\d+)")


def machine(rehearse: bool, seconds: float) -> Iterator[tuple[str, Any]]:
    """What this machine has; failed where the kernels cannot run."""
    for name in LIBRARIES:
        try:
            yield name, version(name)
        except PackageNotFoundError:
            yield name, "not installed"
    yield "python, processors", f"{platform.python_version()}, {os.cpu_count()}"
    import torch

    from trust_seg_ros.support.gpu import why_no_kernels

    if torch.cuda.is_available():
        found = torch.cuda.get_device_properties(0)
        yield "gpu", f"{found.name}, sm_{found.major}{found.minor}, {found.multi_processor_count} multiprocessors"
        yield "memory, GiB; cuda", f"{found.total_memory / 2**30:.1f}; {torch.version.cuda}"
    if shutil.which("nvidia-smi"):
        yield QUERY, _said(["nvidia-smi", f"--query-gpu={QUERY}", "--format=csv,noheader"], seconds / 2)[1].strip()
    why = "" if torch.cuda.is_available() else "torch sees no CUDA device"
    if rehearse:
        why = "" if importlib.util.find_spec("triton") else "triton is not installed"
    elif not why:
        why = why_no_kernels(torch.device("cuda"))
    yield "failed", [why] * bool(why)


def sanitizer(rehearse: bool, seconds: float) -> Iterator[tuple[str, Any]]:
    """Reads and writes out of place, and races, in the labelling and the sums of a few small maps."""
    tool = shutil.which("compute-sanitizer", path=os.pathsep.join([os.environ["PATH"], "/usr/local/cuda/bin"]))
    if tool is None and not rehearse:
        yield "left out", "compute-sanitizer is not installed; it comes with the CUDA toolkit"
        return
    failed = []
    watched = [sys.executable, str(ROOT / "benchmarks" / "gpu_day" / "equality.py"), "--count"]
    for check in ("memcheck", "racecheck"):
        # a rehearsal runs what would be watched
        command = [*watched, "2", "--rehearse"] if rehearse else [str(tool), "--tool", check, *watched, "8"]
        status, said = _said(command, seconds / 2)
        errors = sum(map(int, ERRORS.findall(said)))
        yield check, "rehearsed without it" if rehearse else f"{errors} errors"
        if status or errors:
            failed.append(f"{check}: status {status}, {errors} errors: {said.strip()[-200:]}")
    yield "failed", failed


def tests(rehearse: bool, seconds: float) -> Iterator[tuple[str, Any]]:
    """``pytest -m gpu``, of the files that have such tests; without a GPU they are skipped."""
    if importlib.util.find_spec("pytest") is None:
        yield "left out", "pytest is not installed"
        return
    files = [path for path in (ROOT / "test").rglob("test_*.py") if "pytest.mark.gpu" in path.read_text()]
    chosen = [str(path) for path in sorted(files) if not rehearse or path.stem.endswith("_on_gpu")]
    status, said = _said([sys.executable, "-m", "pytest", "-q", "-m", "gpu", *chosen], seconds)
    yield "pytest -m gpu", said.strip().rpartition("\n")[2]
    wrong = [line for line in said.splitlines() if line.startswith(("FAILED", "ERROR"))][:20]
    yield "failed", [] if status in (0, 5) else wrong or [f"status {status}"]  # 5: no tests


def _said(command: list[str], seconds: float) -> tuple[int, str]:
    """Status and output of a command; -9 where it was not finished in time."""
    try:
        run = subprocess.run(command, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, timeout=seconds)
    except subprocess.TimeoutExpired as error:
        return -9, (error.stdout or b"").decode(errors="replace") + f"\nnot finished in {seconds:.0f} s"
    return run.returncode, run.stdout.decode(errors="replace")
