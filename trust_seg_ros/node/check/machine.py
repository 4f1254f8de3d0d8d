"""Checks of the machine without ROS: Python, the package's files, torch and GPU, kernels, libraries, network."""

from __future__ import annotations

import importlib.util
import os
import platform
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING

from trust_seg_ros.errors import TrustSegError
from trust_seg_ros.node.check.findings import Finding, failed, ok, warning
from trust_seg_ros.support.libraries import PIP, how_to_install
from trust_seg_ros.support.paths import cache_dir, config_dir
from trust_seg_ros.version import installed_version

if TYPE_CHECKING:
    from trust_seg_ros.segmentation.settings import NetworkSettings

LIBRARIES = {
    "bags": ("rosbags", "replay, and bags as source of demo, play and show"),
    "report": ("plotly", "replay --report"),
    "tables": ("pyarrow", "fit, evaluate and replay --segments"),
    "figures": ("matplotlib", "evaluate, benchmark and trust"),
    "Hugging Face": ("transformers", "networks named hf:organisation/name"),
}
"""Name of the check -> (import, what needs it)."""


def python() -> Finding:
    """Versions of this package and of Python."""
    found = f"trust_seg_ros {installed_version()}, Python {platform.python_version()} on {platform.machine()}"
    if (3, 10) <= sys.version_info[:2] <= (3, 13):
        return ok("package", found)
    return warning("package", found, "use Python 3.10 to 3.13, where the tests run")


def files() -> Finding:
    """The package's own files, and the folder for compiled code."""
    try:
        config = config_dir()
        cache = cache_dir()
    except (TrustSegError, OSError) as error:
        return failed("files", " ".join(str(error).split()), "install the package again: pip install . or colcon build")
    return ok("files", f"config in {config}, compiled code in {cache}")


def torch_and_gpu() -> Iterator[Finding]:
    """Which device networks run on."""
    try:
        import torch
    except (ImportError, OSError) as error:
        yield failed("torch", f"cannot be imported: {error}", 'python -m pip install "torch>=2.4"')
        return
    threads = f"{torch.get_num_threads()} threads of {os.cpu_count()} cores"
    yield ok("torch", f"{torch.__version__}, {threads}")
    if torch.cuda.is_available():
        names = [torch.cuda.get_device_name(index) for index in range(torch.cuda.device_count())]
        yield ok("GPU", f"{', '.join(names)}; CUDA {torch.version.cuda}")
        yield _gpu_kernels()
    elif not _nvidia_card():
        yield ok("GPU", "no NVIDIA GPU: networks run on the CPU")
    elif torch.version.cuda is None:
        way_out = "install torch with CUDA, as pytorch.org/get-started says for this machine"
        yield warning("GPU", "there is an NVIDIA GPU, but this torch is built without CUDA", way_out)
    else:
        way_out = "nvidia-smi must list it: install the driver, or start the container with --gpus all"
        yield warning("GPU", f"torch with CUDA {torch.version.cuda} cannot use the NVIDIA GPU", way_out)


def _gpu_kernels() -> Finding:
    """Whether maps and segments are made on the GPU, too."""
    import torch

    from trust_seg_ros.support.gpu import why_no_kernels

    why = why_no_kernels(torch.device("cuda:0"))
    if why:
        return warning("GPU kernels", f"the CPU makes the segments: {why}", "docs/gpu.md says what is lost")
    return ok("GPU kernels", "maps, segments and their metrics are made on the GPU, once proved at configure")


def kernels() -> Finding:
    """Numba, which compiles the kernels of the CPU."""
    try:
        import numba

        @numba.njit(cache=False)  # type: ignore[untyped-decorator,unused-ignore]
        def one() -> int:
            return 1

        one()
    except Exception as error:  # a broken installation may raise anything
        return failed("kernels", f"Numba cannot compile: {error}", 'python -m pip install "numba>=0.59"')
    return ok("kernels", f"Numba {numba.__version__} compiles, {numba.get_num_threads()} threads")


def libraries() -> Finding:
    """Optional libraries."""
    missing = {name: row for name, row in LIBRARIES.items() if importlib.util.find_spec(row[0]) is None}
    if not missing:
        return ok("libraries", f"for {', '.join(LIBRARIES)}: all there")
    found = "; ".join(f"no {row[0]}: {row[1]} will not work" for row in missing.values())
    return warning("libraries", found, "; ".join(_install(row[0]) for row in missing.values()))


def network(settings: NetworkSettings) -> Finding:
    """The network answers for one picture, as the node's would.

    Args:
        settings: the network.
    """
    import time

    import numpy as np

    try:
        loaded = settings.load()
        height, width = loaded.input_spec.size_for((384, 640))
        picture = np.zeros((height, width, 3), np.uint8)
        loaded.infer(picture)
        began = time.perf_counter()
        loaded.infer(picture)
    except TrustSegError as error:
        return failed("network", str(error), "docs/networks.md says how networks are named and exported")
    spent = time.perf_counter() - began
    return ok(
        "network",
        f"{loaded.name}: {len(loaded.labels)} classes, {1000 * spent:.0f} ms for {width}x{height} on {loaded.device}",
    )


def of_machine(settings: NetworkSettings) -> Iterator[Callable[[], list[Finding]]]:
    """The checks of this module, one by one, so that each can be shown when it is done."""
    yield lambda: [python(), files()]
    yield lambda: list(torch_and_gpu())
    yield lambda: [kernels(), libraries()]
    yield lambda: [network(settings)]


def _install(library: str) -> str:
    return how_to_install(library).partition(", or ")[0] if library in PIP else f"python -m pip install {library}"


def _nvidia_card() -> bool:
    tool = shutil.which("nvidia-smi")
    if tool is None:
        return os.path.exists("/proc/driver/nvidia/version")  # noqa: PTH110  (one look, no path to keep)
    done = subprocess.run([tool, "-L"], capture_output=True, text=True, check=False, timeout=20)
    return done.returncode == 0 and "GPU" in done.stdout
