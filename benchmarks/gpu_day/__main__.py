"""The day a GPU is at hand: equality with the CPU, times, compute-sanitizer and tests; one JSON and one Markdown file.

    benchmarks/gpu_day.sh [--rehearse] [--out out/gpu_day] [--only STEP ...] [--minutes 8]

Each step is a process with a limit of its own, so that a fault of the device or of a kernel ends that step alone; what
it had found by then is kept. Ends with 1 if a step failed.
"""

from __future__ import annotations

import argparse
import importlib
import json
import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[2]
REHEARSED = "Rehearsal in Triton's interpreter on the CPU: nothing was measured on a GPU."
STEPS = {
    # name, also of the function: (module, seconds that it may take)
    "machine": ("checks", 30),
    "equality": ("equality", 170),
    "timings": ("timings", 110),
    "sanitizer": ("checks", 90),
    "tests": ("checks", 80),
}


def run_here(name: str, part: Path, rehearse: bool, seconds: float) -> int:
    """Run a step in this process and write its results one by one; 1 if it says that something failed."""
    sys.path += [str(ROOT), str(ROOT / "test" / "helpers")]
    results: dict[str, Any] = {}
    for key, value in getattr(importlib.import_module(STEPS[name][0]), name)(rehearse, seconds):
        results[key] = value
        part.write_text(json.dumps(results))
    return 1 if results.get("failed") else 0


def run_apart(name: str, rehearse: bool, seconds: float) -> dict[str, Any]:
    """Run a step in a process of its own: whether all was well, what was not, and its results."""
    with tempfile.TemporaryDirectory() as folder:
        part, log = Path(folder) / "part.json", Path(folder) / "log"
        part.write_text("{}")
        command = [sys.executable, __file__, "--step", name, "--part", str(part), "--seconds", f"{0.9 * seconds:g}"]
        env = {key: value for key, value in os.environ.items() if key != "TRITON_INTERPRET"}
        if rehearse:
            command, env = [*command, "--rehearse"], env | {"TRITON_INTERPRET": "1"}
        with log.open("w") as said:
            process = subprocess.Popen(command, cwd=ROOT, env=env, stdout=said, stderr=said, start_new_session=True)
            try:
                status, why = process.wait(seconds), ""
            except subprocess.TimeoutExpired:
                os.killpg(process.pid, signal.SIGKILL)
                status, why = process.wait(), f"not finished after {seconds:.0f} s"
        results = json.loads(part.read_text() or "{}")
        lines = [line for line in log.read_text(errors="replace").splitlines() if line.strip()]
    failed = results.pop("failed", [])
    why = why or "; ".join(failed) or (lines[-1] if lines else f"status {status}")
    return (
        {"ok": True, "results": results}
        if not status
        else {"ok": False, "why": why, "results": results, "log": lines[-30:]}
    )


def markdown(day: dict[str, Any]) -> str:
    """All results as one table."""
    lines = [f"{REHEARSED}\n"] * day["rehearsal"] + ["| step | figure | result |", "|---|---|---:|"]
    for name, step in day["steps"].items():
        rows = ([] if step["ok"] else [("**failed**", step["why"])]) + list(_flat(step["results"]))
        lines += [f"| {name} | {_cell(key)} | {_cell(value)} |" for key, value in rows]
    return "\n".join(lines) + "\n"


def _flat(values: dict[str, Any], before: str = "") -> Iterator[tuple[str, Any]]:
    for key, value in values.items():
        if isinstance(value, dict):
            yield from _flat(value, f"{before}{key}: ")
        else:
            yield before + key, value


def _cell(value: Any) -> str:
    text = "–" if value is None else f"{value:.4g}" if isinstance(value, float) else str(value)
    return text.replace("|", "\\|").replace("\n", " ")


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rehearse", action="store_true", help="without a GPU: tiny sizes, in Triton's interpreter")
    parser.add_argument("--out", type=Path, default=ROOT / "out" / "gpu_day", help="folder (default: out/gpu_day)")
    parser.add_argument("--only", nargs="+", choices=STEPS, default=list(STEPS), metavar="STEP", help=", ".join(STEPS))
    parser.add_argument("--minutes", type=float, default=8, help="for all steps together (default: 8)")
    for name, kind in (
        ("--step", str),
        ("--part", Path),
        ("--seconds", float),
    ):  # how the processes of steps are called
        parser.add_argument(name, type=kind, help=argparse.SUPPRESS)
    args = parser.parse_args()
    if args.step:
        return run_here(args.step, args.part, args.rehearse, args.seconds)
    args.out.mkdir(parents=True, exist_ok=True)
    end = time.monotonic() + args.minutes * 60
    steps: dict[str, Any] = {}
    day = {"rehearsal": args.rehearse, "note": REHEARSED if args.rehearse else "", "steps": steps}
    for name in args.only:
        left = end - time.monotonic()
        late = {"ok": False, "why": "no time was left", "results": {}}
        steps[name] = late if left < 10 else run_apart(name, args.rehearse, min(STEPS[name][1], left))
        print(f"{name}: {'ok' if steps[name]['ok'] else 'FAILED: ' + steps[name]['why']}", flush=True)
        (args.out / "gpu_day.json").write_text(json.dumps(day, indent=1))
        (args.out / "gpu_day.md").write_text(markdown(day))
    print(*[REHEARSED] * args.rehearse, f"Written: {args.out}/gpu_day.json and gpu_day.md")
    return 0 if all(step["ok"] for step in steps.values()) else 1


if __name__ == "__main__":
    sys.exit(main())
