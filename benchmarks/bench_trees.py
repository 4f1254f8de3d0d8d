"""Times the kernel that evaluates boosted trees against its NumPy reference, on segments as a frame has them.

    python benchmarks/bench_trees.py [--repeat 50]

Trees of the size that ``trust-seg fit --classifier boosting`` makes, fitted on made-up segments; half of the time of a
judge, which has such trees for false positives and for IoU.
"""

from __future__ import annotations

import argparse
import time
from statistics import median

import numpy as np
from rich.console import Console
from rich.table import Table

from trust_seg_ros.fitting.boosted_pair import fit_tree_pair
from trust_seg_ros.meta.tree_sums import tree_sums, tree_sums_reference

METRICS = 104
"""About as many as metaseg_time has for 11 classes."""
SEGMENTS = (50, 200, 2000)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--repeat", type=int, default=50)
    arguments = parser.parse_args()
    rng = np.random.default_rng(0)
    x = rng.normal(size=(4000, METRICS))
    wrong = rng.random(len(x)) < 1 / (1 + np.exp(-3 * x[:, 0] * x[:, 1] - x[:, 2]))
    trees = fit_tree_pair(x, wrong, np.where(wrong, 0.0, 0.5)).false_positive
    table = Table("segments", title=f"{len(trees.roots)} trees of {len(trees.value):,} nodes, median CPU ms")
    for head in ("kernel", "NumPy"):
        table.add_column(head, justify="right")
    for n in SEGMENTS:
        drawn = [rng.normal(size=(n, METRICS)).astype(np.float32) for _ in range(arguments.repeat)]
        cells = []
        for function in (tree_sums, tree_sums_reference):
            function(drawn[0], *trees.arrays)
            times = []
            for single in drawn:  # others every time: a processor learns the branches of a few segments by heart
                begin = time.process_time()
                function(single, *trees.arrays)
                times.append((time.process_time() - begin) * 1e3)
            cells.append(f"{median(times):.3f}")
        table.add_row(f"{n:,}", *cells)
    Console().print(table)


if __name__ == "__main__":
    main()
