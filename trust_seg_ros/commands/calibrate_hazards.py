"""The part of ``trust-seg calibrate`` that bounds the share of missed hazard cells of the caution map."""

from __future__ import annotations

import argparse
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from trust_seg_ros.commands import given_paths as given
from trust_seg_ros.datasets.errors import DatasetError

if TYPE_CHECKING:
    from rich.console import Console
    from rich.table import Table

    from trust_seg_ros.datasets.folders import LabelledFolder
    from trust_seg_ros.datasets.geometry import Geometry
    from trust_seg_ros.fitting.calibrate_pass import CalibrationPlan
    from trust_seg_ros.fitting.hazard_frames import DrawnDrives, TrueFrame
    from trust_seg_ros.ground.hazard_bound import HazardBound
    from trust_seg_ros.ground.roles import ClassRoles
    from trust_seg_ros.thresholds.calibration import Calibration
    from trust_seg_ros.types import Json

DRAWN = "synthetic:"
_CLASSES = ("ground", "flat", "ignored")


def hazard_source(name: str, value: str, args: argparse.Namespace) -> None:
    """``synthetic:...``, or the file of a geometry."""
    if not value.startswith(DRAWN) and not Path(value).expanduser().is_file():
        raise DatasetError(
            f"{name} {value}: no such file; expected a YAML file that says where the camera of DATASET stood "
            "(docs/calibrate.md), or synthetic:seeds=FIRST-LAST"
        )


def add_hazard_arguments(parser: argparse.ArgumentParser) -> None:
    """--hazards and what describes its map."""
    group = parser.add_argument_group("hazard cells of the caution map")
    sources = group.add_argument(
        "--hazards",
        nargs="+",
        metavar="SOURCE",
        help="also bound the share of true hazard cells that the map leaves free (parameter caution.alpha): the YAML "
        "file that says where the camera of DATASET stood, for all its images; or drives of the synthetic street, "
        "synthetic:seeds=FIRST-LAST[:lens=pinhole|fisheye][:fov=60][:height=1.4][:slope=0.05][:hz=10][:seconds=2]",
    )
    given.expects(sources, hazard_source)
    group.add_argument(
        "--hazard-range", type=float, default=40.0, metavar="M", help="caution.range_m of the node (default: 40)"
    )
    group.add_argument(
        "--hazard-resolution",
        type=float,
        default=0.2,
        metavar="M",
        help="caution.resolution_m of the node (default: 0.2)",
    )
    group.add_argument(
        "--hazard-single",
        action="store_true",
        help="for maps of single frames (caution.fixed_frame empty); by default cells remember earlier frames where "
        "the data say where the vehicle was",
    )
    for role in _CLASSES:
        group.add_argument(
            f"--{role}-classes",
            metavar="NAMES",
            help=f"caution.{role}_classes of the node, with commas between them (default: those of the usual names)",
        )


def hazard_sources(args: argparse.Namespace) -> list[DrawnDrives | Geometry]:
    """The sources of --hazards, before the work starts; [] without.

    Raises:
        DatasetError, GroundError, SyntheticDriveError: a source cannot be used.
        HazardBoundError: one counts drives, another images.
    """
    from trust_seg_ros.datasets.geometry import read_geometry
    from trust_seg_ros.fitting.hazard_frames import drawn_drives
    from trust_seg_ros.ground.hazard_bound import HazardBoundError

    sources = [
        drawn_drives(text) if text.startswith(DRAWN) else read_geometry(Path(text).expanduser())
        for text in args.hazards or ()
    ]
    if len({source.unit for source in sources}) > 1:
        raise HazardBoundError("--hazards: one source counts drives, another images; expected one of the two")
    return sources


def hazard_bound(
    args: argparse.Namespace,
    sources: Sequence[DrawnDrives | Geometry],
    plan: CalibrationPlan,
    folders: Sequence[LabelledFolder],
    found: Calibration,
    console: Console,
) -> HazardBound:
    """Map the sources of --hazards with what was calibrated, and calibrate the bound.

    Raises:
        HazardBoundError: the sources differ in kind, or show no hazard cell.
        DatasetError, GroundError, SyntheticDriveError: a source cannot be used.
    """
    from trust_seg_ros.commands.collect_progress import collection_bar
    from trust_seg_ros.fitting.hazard_bound import HazardBoundBuilder
    from trust_seg_ros.fitting.hazard_frames import DrawnDrives
    from trust_seg_ros.fitting.hazard_pass import add_frames
    from trust_seg_ros.ground.caution_settings import CautionSettings
    from trust_seg_ros.ground.roles import ClassRoles
    from trust_seg_ros.meta.shipped import chosen_ood_meta
    from trust_seg_ros.pipeline.trust_pipeline import TrustPipeline

    network = plan.network
    classes = (getattr(args, f"{role}_classes") for role in _CLASSES)
    roles = ClassRoles.of(network.labels.names, *(None if text is None else _names(text) for text in classes))
    side = args.hazard_range
    settings = CautionSettings(side, side, args.hazard_resolution, fuse=not args.hazard_single)
    pipeline = TrustPipeline(
        network,
        plan.meta,
        ood_model=chosen_ood_meta(args.ood_meta_model, args.model, network),
        gradient=plan.gradient,
        calibration=found,
        grid=args.grid,
    )
    builder = HazardBoundBuilder(sources[0].unit)
    for text, source in zip(args.hazards, sources, strict=True):
        total = source.frames if isinstance(source, DrawnDrives) else sum(map(len, folders))
        with collection_bar(console, f"hazard cells of {text}") as progress:
            frames = _frames(source, folders, network.labels.names, roles)
            add_frames(builder, pipeline, frames, roles, settings, partial(_show, progress, total))
    return builder.bound()


def _show(progress: Callable[[int, int], None], total: int, done: int) -> None:
    progress(done, total)


def hazard_rows(bound: HazardBound | None, alphas: Sequence[float]) -> list[Json]:
    """The threshold on P(hazard) for every alpha; None where it cannot be kept."""
    if bound is None:
        return []
    return [{"alpha": alpha, "threshold": _threshold(bound, alpha)[0]} for alpha in alphas]


def hazard_table(bound: HazardBound, alphas: Sequence[float]) -> Table:
    """The same, to be printed."""
    from rich.table import Table

    table = Table(title=f"Hazard cells: {bound.describe()}", title_justify="left")
    for name in ("missed at most", "free below P(hazard)", "missed in these data", "note"):
        table.add_column(name, justify="left" if name == "note" else "right")
    for alpha in alphas:
        value, note = _threshold(bound, alpha)
        missed = "" if value is None else f"{100 * float(_risk(bound, value)):.2f} %"
        table.add_row(f"{100 * alpha:g} %", "" if value is None else f"{value:.4g}", missed, note)
    return table


def _threshold(bound: HazardBound, alpha: float) -> tuple[float | None, str]:
    from trust_seg_ros.ground.hazard_bound import HazardBoundError

    try:
        return bound.threshold(alpha, bound.made_for), ""
    except HazardBoundError as error:
        return None, str(error)


def _risk(bound: HazardBound, threshold: float) -> float:
    return float(bound.curve.risk[list(bound.curve.thresholds).index(threshold)])


def _names(text: str) -> tuple[str, ...]:
    return tuple(name.strip() for name in text.split(",") if name.strip())


def _frames(
    source: DrawnDrives | Geometry, folders: Sequence[LabelledFolder], names: Sequence[str], roles: ClassRoles
) -> Iterator[TrueFrame]:
    from trust_seg_ros.fitting.hazard_frames import DrawnDrives, drawn_frames, folder_frames

    if isinstance(source, DrawnDrives):
        yield from drawn_frames(source, names, roles)
        return
    for folder in folders:
        yield from folder_frames(folder, source, roles)
