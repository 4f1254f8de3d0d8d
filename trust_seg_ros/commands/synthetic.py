"""``trust-seg synthetic``: write the synthetic drive as images, labels and a contact sheet."""

from __future__ import annotations

import argparse
from pathlib import Path

import cv2
import numpy as np

from trust_seg_ros.commands.options import image_size
from trust_seg_ros.errors import TrustSegError

EPILOG = """examples:
  trust-seg synthetic --out drive --frames 100
  trust-seg synthetic --out drive --size 960x540 --seed 7 --every 10

Writes images/, labels/ (class ids, 255 = none), unknown/ (number of the unknown object, 0 = none) and sheet.png.
"""

_SHEET = 12


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Options of the subcommand."""
    parser.epilog = EPILOG
    parser.formatter_class = argparse.RawDescriptionHelpFormatter
    parser.add_argument("--out", type=Path, required=True, help="folder to write to")
    parser.add_argument("--frames", type=int, default=60, help="how many frames (default: %(default)s)")
    parser.add_argument(
        "--every", type=int, default=1, help="write every N-th frame of the drive (default: %(default)s)"
    )
    parser.add_argument("--size", type=image_size, default=(384, 640), metavar="WxH", help="size (default: 640x384)")
    parser.add_argument("--seed", type=int, default=0, help="which drive (default: %(default)s)")


def run(args: argparse.Namespace) -> int:
    """Write the drive; returns the exit status."""
    from trust_seg_ros.datasets.synthetic import DriveSettings, SyntheticDrive

    if args.frames < 1 or args.every < 1:
        raise TrustSegError(f"--frames {args.frames} --every {args.every}: expected 1 or more of each")
    folders = {name: args.out / name for name in ("images", "labels", "unknown")}
    for folder in folders.values():
        folder.mkdir(parents=True, exist_ok=True)
    drive = SyntheticDrive(DriveSettings(size=args.size, seed=args.seed))
    shown = set(np.linspace(0, args.frames - 1, min(_SHEET, args.frames)).round().astype(int).tolist())
    tiles = []
    for index in range(args.frames):
        frame = drive.frame(index * args.every)
        name = f"seed{args.seed}_{index * args.every:06d}.png"
        _write(folders["images"] / name, cv2.cvtColor(frame.image, cv2.COLOR_RGB2BGR))
        _write(folders["labels"] / name, frame.labels)
        _write(folders["unknown"] / name, frame.unknown.astype(np.uint8))
        if index in shown:
            tiles.append(_tile(frame.image, frame.labels, frame.unknown))
    _write(args.out / "sheet.png", cv2.cvtColor(_sheet(tiles), cv2.COLOR_RGB2BGR))
    print(f"{args.frames} frames in {args.out}, an overview in {args.out / 'sheet.png'}")
    return 0


def _tile(image: np.ndarray, labels: np.ndarray, unknown: np.ndarray) -> np.ndarray:
    from trust_seg_ros.evaluation.pictures import label_picture, mark
    from trust_seg_ros.segmentation.labels import load_labels

    mask = label_picture(np.ascontiguousarray(labels, np.uint8), load_labels("camvid11").palette)
    mark(mask, np.ascontiguousarray(unknown) > 0)
    both = np.hstack([image, mask])
    return cv2.resize(both, (640, max(1, round(640 * both.shape[0] / both.shape[1]))), interpolation=cv2.INTER_AREA)


def _sheet(tiles: list[np.ndarray]) -> np.ndarray:
    columns = 2 if len(tiles) > 1 else 1
    tiles = tiles + [np.zeros_like(tiles[0])] * (-len(tiles) % columns)
    return np.vstack([np.hstack(tiles[i : i + columns]) for i in range(0, len(tiles), columns)])


def _write(path: Path, image: np.ndarray) -> None:
    if not cv2.imwrite(str(path), image):
        raise TrustSegError(f"{path} cannot be written; is the folder writable?")
