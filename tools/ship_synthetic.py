"""Put trained weights into the package as ``embedded:synthetic``: ``python tools/ship_synthetic.py WEIGHTS``."""

from __future__ import annotations

import sys
from pathlib import Path

from trust_seg_ros.segmentation.compact import SHIPPED, load_compact, save_compact

NOTES = {
    "licence": "Apache-2.0",
    "data": "scenes of trust_seg_ros's synthetic drive; photographs of DAVIS (BSD) as surfaces and as unknown objects",
}

if __name__ == "__main__":
    target = SHIPPED.parent / "synthetic.safetensors"
    save_compact(load_compact(weights=Path(sys.argv[1])), target, NOTES)
    print(f"{target}: {target.stat().st_size / 1e6:.1f} MB")
