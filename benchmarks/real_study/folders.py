"""Where the study finds data and puts results."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
DATA = ROOT.parent / "shared" / "data"
PAGE = ROOT / "docs" / "results" / "real.md"
RESULTS = ROOT / "docs" / "results" / "real"
BEFORE = RESULTS / "before"
COMMAND = "python benchmarks/real_study --write"


@dataclass(frozen=True)
class Places:
    """Folders of one run.

    Attributes:
        data: the data sets, as docs/results/real.md lists them.
        runs: results that are kept, and pictures that may not be published.
    """

    data: Path
    runs: Path
