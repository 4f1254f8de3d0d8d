"""A recording judged offline: a folder of frames in; a bag, tables and the drive report out.

    python examples/replay.py [FOLDER]

Needs the extra "replay". `trust-seg replay SOURCE --out OUT --report` on the command line is the same; SOURCE may be a
rosbag2, a ROS 1 bag or a video as well.
"""

import sys
from pathlib import Path

import cv2
import pyarrow.parquet as pq

from trust_seg_ros.cli import main as trust_seg
from trust_seg_ros.synthetic import DriveSettings, SyntheticDrive

FRAMES = 12


def main() -> None:
    """Write frames, replay them, look into the table of frames."""
    out = Path(sys.argv[1] if len(sys.argv) > 1 else "out/examples")
    frames, replay = out / "frames", out / "replay"
    frames.mkdir(parents=True, exist_ok=True)
    drive = SyntheticDrive(DriveSettings(size=(180, 240), seed=5, fps=10.0, unknown_rate=4.0))
    for k in range(FRAMES):
        cv2.imwrite(str(frames / f"{k:04d}.png"), drive.frame(10 * k).image[..., ::-1])

    # the options of the command line; parameters are those of the node
    options = ["--report", "--workers", "1", "--force", "-p", "thresholds.pixel:=0.5"]
    status = trust_seg(["replay", str(frames), "--rate", "10", "--out", str(replay), *options])
    if status:
        sys.exit(status)

    table = pq.read_table(replay / "frames.parquet")  # a row per frame; pandas.read_parquet reads it, too
    print(f"{table.num_rows} frames, {len(table.column_names)} columns: {', '.join(table.column_names[:8])}, …")
    print(f"open {replay / 'report.html'} in a browser")


if __name__ == "__main__":
    main()
