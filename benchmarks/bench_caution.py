"""Times the caution map, part by part, beside its readable reference, in one run.

    python benchmarks/bench_caution.py [--repeat 40] [--threads 2] [--only 480x360]

The picture is drawn: a road with pavement, cars and posts, and noise of single pixels in classes and P. The vehicle
drives at 10 m/s, and the plane of the ground is another one in every frame, as an estimated one is, so that the polar
table is made anew each time; "kept" is the whole update with a constant plane. The map is the default one, 40 m x 40 m
in cells of 0.2 m. Smallest and median time in ms of the repeats; on a busy machine only the smallest ones and the
ratios mean something.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable, Iterator
from statistics import median

import numpy as np
import torch
from rich.console import Console
from rich.table import Table

from trust_seg_ros.ground import reference
from trust_seg_ros.ground.camera_model import CameraModel
from trust_seg_ros.ground.caution import CautionMapper
from trust_seg_ros.ground.cells import Placement, Window, observe
from trust_seg_ros.ground.fusion import Memory, fuse
from trust_seg_ros.ground.hazards import HazardMaps, HazardSettings, hazard_maps, reference_maps
from trust_seg_ros.ground.placing import OPTICAL, GroundPlane, Pose
from trust_seg_ros.ground.roles import ClassRoles
from trust_seg_ros.ground.scan import scan, shares_before
from trust_seg_ros.ground.table import LensTable, polar_table
from trust_seg_ros.ground.view import GroundView
from trust_seg_ros.segments import components
from trust_seg_ros.types import GridFrame, SegmentTable, SegmentTrust, UncertaintyMaps

CASES = (
    ((360, 480), "pinhole, 60°"),
    ((360, 480), "fisheye, 120°"),
    ((1080, 1920), "pinhole, 60°"),
    ((1080, 1920), "fisheye, 120°"),
)
NAMES = ("sky", "road", "pavement", "car", "pole")
MOUNT = Pose.from_angles(0.0, 0.06, 0.0, np.array([1.5, 0.0, 1.5])) @ OPTICAL


def camera_of(size: tuple[int, int], name: str) -> CameraModel:
    if name.startswith("pinhole"):
        return CameraModel.pinhole(size, 0.5 * size[1] / np.tan(np.pi / 6))
    return CameraModel.fisheye(size, 0.5 * size[1] / (np.pi / 3))


def street(size: tuple[int, int]) -> GridFrame:
    """A judged frame: below the horizon a road, pavement beside it, cars and posts upon them, and noise."""
    rng, (height, width) = np.random.default_rng(0), size
    row, column = np.indices(size)
    horizon = 0.45 * height
    beside = np.abs(column - width / 2) > 0.9 * (row - horizon) + 0.05 * width
    classes = np.where(row < horizon, 0, np.where(beside, 2, 1)).astype(np.uint8)
    for x, foot, half, tall, what in ((0.3, 0.6, 0.06, 0.2, 3), (0.62, 0.75, 0.1, 0.35, 3), (0.8, 0.7, 0.005, 0.5, 4)):
        part = (np.abs(column - x * width) < half * width) & (row < foot * height) & (row > (foot - tall) * height)
        classes[part] = what
    noise = rng.random(size) < 0.002
    classes[noise] = rng.integers(0, 5, int(noise.sum()))
    entropy = (0.1 * rng.random(size, np.float32)).astype(np.float32)
    ids, count = components(classes)
    sizes = np.bincount(ids.ravel(), minlength=count + 1)[1:]
    firsts = np.unique(ids.ravel(), return_index=True)[1][-count:]
    p = rng.random(count) ** 3
    table = SegmentTable(ids, classes.ravel()[firsts], np.zeros((count, 4)), sizes, sizes, (), np.zeros((count, 0)))
    plane = torch.from_numpy(entropy)
    return GridFrame(
        UncertaintyMaps(torch.from_numpy(classes), plane, plane, plane),
        table,
        SegmentTrust(p, 1 - p, (p > 0.6) & (sizes > 20)),
    )


def views(camera: CameraModel, moving: bool) -> Iterator[tuple[GroundView, Pose, int]]:
    """View, pose of the vehicle and stamp, frame by frame at 10 Hz; the plane of a hilly road if ``moving``."""
    k = 0
    while True:
        normal = np.array([-0.01 * np.sin(0.3 * k), 0.004 * np.cos(0.2 * k), 1.0]) if moving else np.array([0.0, 0, 1])
        yield GroundView(camera, MOUNT, GroundPlane(normal)), Pose.from_angles(0, 0, 0.02 * k, [k, 0.0, 0.0]), k * 10**8
        k += 1


def best(work: Callable[[], object], repeat: int) -> tuple[float, float]:
    times = []
    for _ in range(repeat):
        begin = time.perf_counter()
        work()
        times.append(1e3 * (time.perf_counter() - begin))
    return min(times), median(times)


def whole(camera: CameraModel, maps: HazardMaps, moving: bool, repeat: int, threads: int) -> tuple[float, float]:
    mapper, drive = CautionMapper(threads=threads), views(camera, moving)
    best(lambda: mapper.update(maps, *next(drive)), 3)
    return best(lambda: mapper.update(maps, *next(drive)), repeat)


def parts(camera: CameraModel, frame: GridFrame, maps: HazardMaps, repeat: int, threads: int) -> dict[str, tuple]:
    """Fast and plain time of every part."""
    view, pose, _ = next(views(camera, True))
    lens = LensTable.of(camera, maps.size)
    table = polar_table(view, lens, 40.0)
    before = shares_before(1.2 * table.depression_step, table.depression_step)
    found = scan(table, maps, before, threads)
    window = Window.around(np.array([21.5, 0.0]), (40.0, 40.0), 0.2)
    where, none = Placement.of(view, table, pose), (np.zeros((0, 2)), np.zeros(0, np.float32))
    seen = observe(found, table, where, window, view.height, 40.0, *none)
    roles, settings = ClassRoles.of(NAMES), HazardSettings()
    given = (found, table, where, window, view.height, 40.0, *none)
    pairs: dict[str, tuple[Callable[[], object], Callable[[], object]]] = {
        "P(hazard)": (
            lambda: hazard_maps(frame, roles, settings, threads),
            lambda: reference_maps(frame, roles, settings),
        ),
        "table": (
            lambda: polar_table(view, lens, 40.0, threads=threads),
            lambda: reference.grid_points(view, table),
        ),
        "scan": (lambda: scan(table, maps, before, threads), lambda: reference.scan(table, maps, before)),
        "cells": (lambda: observe(*given, threads), lambda: reference.observe(*given)),
        "memory": (
            lambda: fuse(memory, seen, 0.1, 2.0, threads),
            lambda: reference.fuse(memory, seen, 0.1, 2.0),
        ),
    }
    memory = Memory.empty(window)
    return {name: (best(fast, repeat), best(plain, 1)) for name, (fast, plain) in pairs.items()}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--repeat", type=int, default=40)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--only", help="WIDTHxHEIGHT")
    options = parser.parse_args()
    shown = Table(title=f"Caution map, ms (smallest / median of {options.repeat}), {options.threads} threads")
    for head in ("grid, camera", "part", "ms", "reference, ms", "times as fast"):
        shown.add_column(head, justify="left" if head in ("grid, camera", "part") else "right")
    for size, name in CASES:
        if options.only not in (None, f"{size[1]}x{size[0]}"):
            continue
        camera, frame = camera_of(size, name), street(size)
        maps = hazard_maps(frame, ClassRoles.of(NAMES))
        title = f"{size[1]}×{size[0]}, {name}"
        for part, (fast, plain) in parts(camera, frame, maps, options.repeat, options.threads).items():
            shown.add_row(title, part, f"{fast[0]:.2f} / {fast[1]:.2f}", f"{plain[0]:.0f}", f"{plain[0] / fast[0]:.0f}")
            title = ""
        for part, moving in (("update, a new plane", True), ("update, the plane kept", False)):
            low, middle = whole(camera, maps, moving, options.repeat, options.threads)
            shown.add_row("", part, f"{low:.2f} / {middle:.2f}", "", "")
        shown.add_section()
    Console(width=110).print(shown)


if __name__ == "__main__":
    main()
