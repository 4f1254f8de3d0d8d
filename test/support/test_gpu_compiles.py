"""Every Triton kernel compiles for the GPUs of cars, without one, as it is launched."""

import ast
import json
import os
import subprocess
import sys

import pytest
from interpreted import needs_triton
from places import ROOT

pytestmark = [needs_triton, pytest.mark.slow]
ARCHITECTURES = [87, 90, 120]
MOST_REGISTERS = 255  # ptxas spills beyond


@pytest.fixture(scope="module")
def gate(tmp_path_factory):
    """What benchmarks/gpu_day/compiled.py finds; a process of its own, as kernels of the interpreter do not compile."""
    path = tmp_path_factory.mktemp("compiled") / "compiled.json"
    env = {name: value for name, value in os.environ.items() if name != "TRITON_INTERPRET"}
    command = [sys.executable, str(ROOT / "benchmarks" / "gpu_day" / "compiled.py"), "--json", str(path)]
    run = subprocess.run(command, cwd=ROOT, env=env, capture_output=True, text=True, timeout=900)
    assert path.exists(), run.stderr[-3000:]
    return json.loads(path.read_text()), run


def jit_functions():
    """``module.function`` of everything decorated with triton.jit, as the files have it."""
    for path in sorted((ROOT / "trust_seg_ros").rglob("*_gpu.py")):
        for node in ast.parse(path.read_text()).body:
            if isinstance(node, ast.FunctionDef) and any("triton.jit" in ast.unparse(d) for d in node.decorator_list):
                yield f"{'.'.join(path.relative_to(ROOT / 'trust_seg_ros').with_suffix('').parts)}.{node.name}"


def test_every_kernel_is_reached_and_compiles(gate):
    found, run = gate
    assert found["unreached"] == []
    assert [f"{row['kernel']} {row['variant']}: {row['error']}" for row in found["compiled"] if row["error"]] == []
    assert run.returncode == 0, run.stderr[-3000:]


def test_every_kernel_is_there_for_every_architecture(gate):
    rows = gate[0]["compiled"]
    kernels = {row["kernel"] for row in rows}
    assert len(kernels) > 8
    assert {(row["kernel"], row["arch"]) for row in rows} == {(k, arch) for k in kernels for arch in ARCHITECTURES}
    assert all(0 < row["registers"] <= MOST_REGISTERS and row["bytes"] > 1000 for row in rows if not row["error"])


def test_the_gate_knows_every_jit_function_of_the_package(gate):
    assert sorted(gate[0]["reached"] + gate[0]["unreached"]) == sorted(jit_functions())
