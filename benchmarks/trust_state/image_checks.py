"""How often the image checks of the trust state are wrong, on pictures that their limits were not chosen on.

    python benchmarks/trust_state/image_checks.py [--choose] [--write]

Clean pictures are CamVid test, photos of obstacles on roads, videos of DAVIS, a motorway film and other seeds of the
synthetic drive in all weathers; every sixth is also corrupted (trust-seg corrupt), covered and blackened. ``--choose``:
the pictures that the limits were chosen on. ``--write``: counts into docs/results/planner/image_checks.csv. Three
minutes.
"""

from __future__ import annotations

import argparse
import csv
from collections import Counter, defaultdict
from collections.abc import Iterator
from pathlib import Path

import cv2
import numpy as np

from trust_seg_ros.datasets.corruptions import CORRUPTIONS
from trust_seg_ros.datasets.corruptions.apply import corrupt
from trust_seg_ros.synthetic.drive import SyntheticDrive
from trust_seg_ros.synthetic.settings import WEATHERS, DriveSettings
from trust_seg_ros.trust_state.image_checks import image_faults, image_numbers

ROOT = Path(__file__).resolve().parents[2]
DATA = ROOT.parent / "shared" / "data"
OUT = ROOT / "docs" / "results" / "planner" / "image_checks.csv"
KEYS = ("dark", "overexposed", "blurred", "covered")
EVERY = 6
COVERS = (0.3, 0.5, 0.7, 1.0)
LEVELS = (10, 60, 120)

Picture = tuple[str, np.ndarray]


def folder(source: str, pattern: str, every: int = 1) -> Iterator[Picture]:
    """Pictures of a folder of the shared data."""
    for path in sorted(DATA.glob(pattern))[::every]:
        yield source, cv2.cvtColor(cv2.imread(str(path)), cv2.COLOR_BGR2RGB)


def film(source: str, path: Path) -> Iterator[Picture]:
    """Every picture of a film."""
    reader = cv2.VideoCapture(str(path))
    while (found := reader.read())[0]:
        yield source, cv2.cvtColor(found[1], cv2.COLOR_BGR2RGB)


def synthetic(seeds: range, frames: tuple[int, ...]) -> Iterator[Picture]:
    """The synthetic drive in all weathers."""
    for weather in WEATHERS:
        for seed in seeds:
            drive = SyntheticDrive(DriveSettings(size=(360, 480), seed=seed, weather=weather))
            yield from ((f"synthetic {weather}", drive.frame(frame).image) for frame in frames)


def pictures(choose: bool) -> Iterator[Picture]:
    """Clean pictures: those to judge on, or those that the limits were chosen on."""
    if choose:
        yield from folder("camvid train", "camvid/train/images/*", every=3)
        yield from folder("street photos", "street_photos/images/**/*.jpg")
        yield from folder("street videos", "street_video/images/*/*.jpg", every=3)
        yield from synthetic(range(4), (0, 37, 90, 150))
        return
    yield from folder("camvid test", "camvid/test/images/*")
    yield from folder("obstacles on roads", "roadanomaly_open/images/*")
    yield from folder("DAVIS", "objects_davis/images/**/*.jpg")
    yield from film("motorway film", DATA / "video" / "solidWhiteRight.mp4")
    yield from synthetic(range(20, 26), (0, 50, 100, 150, 200, 250))


def covered(image: np.ndarray, share: float, level: float, rng: np.random.Generator) -> np.ndarray:
    """Something out of focus covers a share of the image, from a random side, with the noise of a sensor."""
    height, width = image.shape[:2]
    rows, columns = np.mgrid[:height, :width]
    angle = rng.uniform(0, 2 * np.pi)
    depth = (columns / width - 0.5) * np.cos(angle) + (rows / height - 0.5) * np.sin(angle)
    alpha = 1 / (1 + np.exp((depth - np.quantile(depth, share)) / 0.03))
    if share >= 1.0:
        alpha[:] = 1.0
    cover = level + rng.normal(0, 3.0, image.shape)
    return np.clip(image * (1 - alpha[..., None]) + cover * alpha[..., None], 0, 255).astype(np.uint8)


def bad_pictures(image: np.ndarray, rng: np.random.Generator) -> Iterator[Picture]:
    """The picture after what can happen to it; weathers, too, of which nothing should be said."""
    for kind in CORRUPTIONS:
        for severity in (1, 3, 5):
            yield f"{kind} {severity}", corrupt(image, kind, severity)
    for share in COVERS:
        for level in LEVELS:
            yield f"{100 * share:.0f} % covered", covered(image, share, level, rng)
    yield "black", np.zeros_like(image)
    yield "white", np.full_like(image, 255)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--choose", action="store_true", help="the pictures that the limits were chosen on")
    parser.add_argument("--write", action="store_true", help=f"write {OUT.relative_to(ROOT)}")
    options = parser.parse_args()
    rng = np.random.default_rng(1)
    numbers: Counter[str] = Counter()
    said: dict[str, Counter[str]] = defaultdict(Counter)

    def see(row: str, image: np.ndarray) -> None:
        numbers[row] += 1
        for fault in image_faults(image_numbers(image)):
            said[row][fault.key] += 1
            said[row][f"{fault.key} useless"] += fault.useless

    for place, (source, image) in enumerate(pictures(options.choose)):
        see(f"clean: {source}", image)
        if place % EVERY == 0:
            for kind, changed in bad_pictures(image, rng):
                see(kind, changed)
    names = [name for key in KEYS for name in (key, f"{key} useless")]
    rows = [[row, count, *(said[row][name] for name in names)] for row, count in numbers.items()]
    for row in rows:
        print(*row, sep="\t")
    if options.write:
        OUT.parent.mkdir(parents=True, exist_ok=True)
        with OUT.open("w", newline="") as file:
            csv.writer(file, lineterminator="\n").writerows([["pictures", "number", *names], *rows])
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
