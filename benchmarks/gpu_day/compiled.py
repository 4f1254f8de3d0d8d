"""Every Triton kernel of the package, compiled for the GPUs of cars without one at hand: registers, spills, memory.

    python benchmarks/gpu_day/compiled.py [--arch 90 87 120] [--json FILE]

Nothing is launched: the functions around the kernels are called with tensors without memory, which cannot be waited for
either, while every launch is only noted. What was noted is compiled as it would be on the device, with its types,
alignments and constants. Ends with 1 if a kernel does not compile, or if no call reaches it.
"""

from __future__ import annotations

import argparse
import ast
import contextlib
import importlib
import inspect
import io
import json
import os
import re
import sys
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import trust_seg_ros

ROOT = Path(trust_seg_ros.__file__).parent
ARCHITECTURES = (90, 87, 120)
"""H100 and H200; Orin; RTX 50 and its kin in cars."""


@dataclass(frozen=True)
class Launch:
    """A launch that was noted.

    Attributes:
        kernel: a JITFunction.
        args, kwargs: as it was called, options of Triton included.
        arguments: name -> value of the kernel's parameters.
        grid: programs along each axis.
    """

    kernel: Any
    args: tuple[Any, ...]
    kwargs: dict[str, Any]
    arguments: dict[str, Any]
    grid: tuple[int, ...]

    @property
    def name(self) -> str:
        """The kernel's module and name, as in ``labelling.paint``."""
        function = self.kernel.fn
        return f"{function.__module__.rpartition('.')[2].removesuffix('_gpu')}.{function.__name__.lstrip('_')}"


@dataclass(frozen=True)
class Compiled:
    """One kernel with one set of types and constants, for one architecture.

    Attributes:
        kernel: its name.
        variant: types of its arguments and the constants that it was compiled with.
        arch: 87 = sm_87.
        warps: of a program.
        registers: of a thread, 255 at most.
        spilled: bytes of a thread that are written to memory because registers are too few.
        shared: bytes of shared memory of a program.
        bytes: of the cubin.
        error: why it does not compile; "" = it does.
    """

    kernel: str
    variant: str
    arch: int
    warps: int
    registers: int = 0
    spilled: int = 0
    shared: int = 0
    bytes: int = 0
    error: str = ""


def kernels() -> dict[str, Any]:
    """Name -> ``triton.jit`` function, of all modules with kernels; helpers of kernels are among them."""
    from triton.runtime.jit import JITFunction

    found = {}
    for path in sorted(ROOT.rglob("*_gpu.py")):
        name = ".".join(path.relative_to(ROOT).with_suffix("").parts)
        members = vars(importlib.import_module(f"{ROOT.name}.{name}")).values()
        own = [m for m in members if isinstance(m, JITFunction) and m.__module__ == f"{ROOT.name}.{name}"]
        found |= {f"{name}.{kernel.__name__}": kernel for kernel in own}
    return found


@contextlib.contextmanager
def launches(launch: Callable[[str, Callable[[], Any]], Any] | None = None) -> Iterator[list[Launch]]:
    """Notes every launch of a Triton kernel; ``launch(name, run)`` is to do it by ``run()``; None: nothing is run."""
    from triton import knobs
    from triton.runtime.interpreter import InterpretedFunction
    from triton.runtime.jit import JITFunction

    noted: list[Launch] = []
    kind = InterpretedFunction if knobs.runtime.interpret else JITFunction
    usual = kind.run

    def run(kernel: Any, *args: Any, grid: Any, warmup: bool, **kwargs: Any) -> Any:
        bound = inspect.signature(kernel.fn).bind(*args, **{k: v for k, v in kwargs.items() if k in kernel.arg_names})
        bound.apply_defaults()
        size = tuple(grid(bound.arguments) if callable(grid) else grid)
        noted.append(Launch(kernel, args, kwargs, bound.arguments, size))
        if launch is None:
            return None
        return launch(noted[-1].name, lambda: usual(kernel, *args, grid=grid, warmup=warmup, **kwargs))

    kind.run = run
    try:
        yield noted
    finally:
        kind.run = usual


def unreached(noted: list[Launch]) -> list[str]:
    """Names of jit functions that no noted launch runs, neither itself nor through another kernel."""
    found = kernels()
    waiting, reached = [launch.kernel for launch in noted], set()
    while waiting:
        kernel = waiting.pop()
        if id(kernel) not in reached:
            reached.add(id(kernel))
            names = {node.id for node in ast.walk(kernel.parse()) if isinstance(node, ast.Name)}
            waiting += [
                value for name, value in kernel.fn.__globals__.items() if name in names and hasattr(value, "parse")
            ]
    return sorted(name for name, kernel in found.items() if id(kernel) not in reached)


def compiled(noted: list[Launch], architectures: Sequence[int] = ARCHITECTURES) -> Iterator[Compiled]:
    """Compile every set of types and constants for the first architecture, and the first of a kernel for the others."""
    seen, first = set(), set()
    for launch in noted:
        for arch in architectures:
            source, options, variant = _source(launch, arch)
            key = (launch.name, arch, variant, str(options))
            if key in seen or (arch != architectures[0] and (launch.name, arch) in first):
                continue
            seen.add(key)
            first.add((launch.name, arch))
            yield _compile(launch, source, options, variant, arch)


def _source(launch: Launch, arch: int) -> tuple[Any, Any, str]:
    """What Triton would compile for this launch on the device."""
    from triton.backends.compiler import GPUTarget
    from triton.compiler import ASTSource, make_backend
    from triton.runtime.jit import create_function_from_signature

    kernel, backend = launch.kernel, make_backend(GPUTarget("cuda", arch, 32))
    kwargs = {"debug": False, **launch.kwargs}
    bound, specialization, options = create_function_from_signature(kernel.signature, kernel.params, backend)(
        *launch.args, **kwargs
    )
    options, signature, constants, attributes = kernel._pack_args(backend, kwargs, bound, specialization, options)
    aligned = {path[0] for path, found in attributes.items() if found}
    shown = [
        f"{name}={bound[name]}" if kind == "constexpr" else f"{kind}:16" if k in aligned else str(kind)
        for k, (name, kind) in enumerate(signature.items())
    ]
    return ASTSource(kernel, signature, constants, attributes), options, " ".join(shown)


def _compile(launch: Launch, source: Any, options: Any, variant: str, arch: int) -> Compiled:
    from triton import compile as build
    from triton import knobs
    from triton.backends.compiler import GPUTarget

    log = io.StringIO()
    with knobs.nvidia.scope(), knobs.compilation.scope(), contextlib.redirect_stdout(log):
        knobs.nvidia.dump_ptxas_log, knobs.compilation.always_compile = True, True
        try:
            built = build(source, target=GPUTarget("cuda", arch, 32), options=options.__dict__)
        except Exception as error:  # of the compiler, its passes or ptxas
            return Compiled(launch.name, variant, arch, options.num_warps, error=str(error))
    said = log.getvalue()
    registers, spilled = (
        sum(map(int, re.findall(p, said))) for p in (r"Used (\d+) registers", r"(\d+) bytes spill stores")
    )
    size = len(built.asm["cubin"])
    return Compiled(launch.name, variant, arch, options.num_warps, registers, spilled, built.metadata.shared, size)


def table(rows: list[Compiled]) -> str:
    """One line per kernel and architecture as Markdown: the variant that needs most registers."""
    most: dict[tuple[str, int], Compiled] = {}
    for row in rows:
        held = most.setdefault((row.kernel, row.arch), row)
        if (row.spilled, row.registers) > (held.spilled, held.registers):
            most[row.kernel, row.arch] = row
    lines = ["| kernel | arch | variants | warps | registers | spilled, bytes | shared, bytes | cubin, bytes |"]
    lines.append("|---|---|" + "---:|" * 6)
    for (kernel, arch), row in most.items():
        count = sum((r.kernel, r.arch) == (kernel, arch) for r in rows)
        figures = (count, row.warps, row.registers, row.spilled, row.shared, row.bytes)
        lines.append(f"| {kernel} | sm_{arch} | " + " | ".join(f"{figure:,}" for figure in figures) + " |")
    return "\n".join(lines)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    all_for_first = "the first for every variant, the others for one (default: 90 87 120)"
    parser.add_argument("--arch", type=int, nargs="+", default=ARCHITECTURES, metavar="N", help=all_for_first)
    parser.add_argument("--json", type=Path, metavar="FILE", help="write all variants, too")
    args = parser.parse_args()
    os.environ.pop("TRITON_INTERPRET", None)  # kernels of the interpreter cannot be compiled
    from calls import every_call

    with launches() as noted:
        every_call()
    missing = unreached(noted)
    rows = list(compiled(noted, args.arch))
    if args.json:
        found = {"reached": sorted(set(kernels()) - set(missing)), "unreached": missing}
        args.json.write_text(json.dumps(found | {"compiled": [asdict(row) for row in rows]}, indent=1))
    print(table(rows))
    for name in missing:
        print(f"{name}: no call in benchmarks/gpu_day/calls.py reaches this kernel", file=sys.stderr)
    wrong = [row for row in rows if row.error]
    for row in wrong:
        print(f"{row.kernel}, sm_{row.arch}, {row.variant}: {row.error}", file=sys.stderr)
    return 1 if missing or wrong else 0


if __name__ == "__main__":
    sys.exit(main())
