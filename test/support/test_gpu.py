"""Whether kernels for GPUs may be used."""

import subprocess
import sys

import pytest
import torch
from interpreted import needs_triton

from trust_seg_ros.node.check.machine import _gpu_kernels
from trust_seg_ros.support import gpu

CUDA = torch.device("cuda:0")


@pytest.fixture(autouse=True)
def as_before():
    cached = gpu._lacking
    gpu.refuse("")
    yield
    gpu.refuse("")
    cached.cache_clear()


def test_on_a_cpu_they_cannot():
    assert not gpu.kernels_for(torch.device("cpu"))
    assert "no NVIDIA GPU" in gpu.why_no_kernels(torch.device("cpu"))


@pytest.fixture
def volta(monkeypatch):
    monkeypatch.setattr(torch.cuda, "get_device_capability", lambda _: (7, 0))


@pytest.mark.usefixtures("volta")
def test_what_fails_at_the_first_kernel_is_said_and_asked_once(monkeypatch):
    asked = []

    def tried(device):
        asked.append(device)
        return "a small kernel does not run: RuntimeError: Failed to find C compiler"

    monkeypatch.setattr(gpu, "_tried", tried)
    assert not gpu.kernels_for(CUDA)
    assert "C compiler" in gpu.why_no_kernels(CUDA)
    assert asked == [CUDA]


@pytest.mark.usefixtures("volta")
def test_this_process_can_do_without_them_for_a_while(monkeypatch):
    monkeypatch.setattr(gpu, "_tried", lambda _: "")
    assert gpu.kernels_for(CUDA)
    gpu.refuse("switched off")
    assert gpu.why_no_kernels(CUDA) == "switched off"
    gpu.refuse("")
    assert gpu.kernels_for(CUDA)


def test_trust_seg_check_says_what_is_lacking(monkeypatch):
    monkeypatch.setattr(gpu, "_lacking", lambda _: "triton is not installed: pip install 'trust_seg_ros[gpu]'")
    found = _gpu_kernels()
    assert (found.name, found.state) == ("GPU kernels", "warning")
    assert "the CPU makes the segments: triton is not installed" in found.found
    monkeypatch.setattr(gpu, "_lacking", lambda _: "")
    assert _gpu_kernels().state == "ok"


def test_old_gpus_cannot(monkeypatch):
    monkeypatch.setattr(torch.cuda, "get_device_capability", lambda _: (6, 1))
    assert "6.1, expected at least 7.0" in gpu.why_no_kernels(CUDA)


@needs_triton
def test_the_first_kernel_counts(monkeypatch):
    from trust_seg_ros.support import first_kernel_gpu

    assert first_kernel_gpu.counts(torch.device("cpu"))
    assert gpu._tried(torch.device("cpu")) == ""
    monkeypatch.setattr(first_kernel_gpu, "counted", lambda _: torch.zeros(100, dtype=torch.int32))
    assert "wrong numbers" in gpu._tried(torch.device("cpu"))
    monkeypatch.setattr(first_kernel_gpu, "counted", lambda _: 1 / 0)
    assert "ZeroDivisionError" in gpu._tried(torch.device("cpu"))


@pytest.mark.slow
def test_a_frame_on_a_cpu_never_imports_triton():
    code = (
        "import sys, numpy as np\n"
        "from trust_seg_ros.pipeline import PipelineSettings, TrustPipeline\n"
        "from trust_seg_ros.types import Frame\n"
        "import trust_seg_ros.node.processing, trust_seg_ros.node.check.machine\n"
        "pipeline = TrustPipeline.load(PipelineSettings(device='cpu'))\n"
        "pipeline.warm_up((64, 96))\n"
        "pipeline(Frame(np.zeros((64, 96, 3), np.uint8)))\n"
        "print(sorted(name for name in sys.modules if name.split('.')[0] == 'triton' or name.endswith('_gpu')))\n"
    )
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=300, check=True)
    assert run.stdout.splitlines()[-1] == "[]"
