"""Options of ``trust-seg benchmark`` that fit a meta classifier over several sources, and the file it is saved in."""

from __future__ import annotations

import argparse
import math
from dataclasses import asdict, replace
from pathlib import Path
from typing import TYPE_CHECKING

from rich.console import Console
from rich.text import Text

from trust_seg_ros.commands import given_paths as given
from trust_seg_ros.commands.console import say
from trust_seg_ros.commands.outcome import record
from trust_seg_ros.commands.shared_options import add_force_argument
from trust_seg_ros.evaluation.errors import AnomalyError

if TYPE_CHECKING:
    from trust_seg_ros.evaluation.anomaly.passes import Look
    from trust_seg_ros.evaluation.anomaly.sources import Source
    from trust_seg_ros.evaluation.anomaly.study import Plan, Study
    from trust_seg_ros.types import Json


def add_fit_arguments(group: argparse._ArgumentGroup) -> None:
    """The options."""
    fit_on = group.add_argument(
        "--fit-on",
        nargs="+",
        default=[],
        metavar="DATASET",
        help="fit on these data sets instead; several are stacked, so that no one place decides",
    )
    given.expects(fit_on, given.with_unknown)
    group.add_argument(
        "--classifier",
        choices=("logistic", "ridge", "boosting"),
        default="logistic",
        help="logistic regression as published, with a penalty on large weights, or 150 boosted trees; the last two "
        "carry better to data not fitted on, --leave-source-out says which (default: %(default)s)",
    )
    group.add_argument(
        "--leave-source-out",
        action="store_true",
        help="also judge each data set of --fit-on by a fit on the others: what the classifier is worth elsewhere",
    )
    group.add_argument(
        "--keep",
        type=_share,
        metavar="SHARE",
        help="discard above the P(false alarm) that keeps this share of the objects found in --fit-on, each data set "
        "judged by a fit on the others, a single one by folds over its images, for example 0.98 (default: discard "
        "above 0.5)",
    )
    group.add_argument(
        "--fit-thresholds",
        type=_number,
        nargs="+",
        default=[],
        metavar="T",
        help="also fit on the segments of --fit-on at these thresholds, for a node that runs at another one",
    )
    saved = group.add_argument(
        "--save-meta",
        type=Path,
        metavar="FILE",
        help="write the meta classifier, fitted on all of --fit-on or DATASET, for the node; with several scores that "
        "of the score with the highest AuPRC on DATASET",
    )
    given.expects(saved, given.new_file("ood.json"))
    add_force_argument(group, "write it even if it is worse than none on a source left out")


def check_fit(args: argparse.Namespace) -> None:
    """Refuse impossible combinations; raises AnomalyError."""
    if args.dataset in args.fit_on:
        raise AnomalyError(f"--fit-on {args.dataset}: that is the data set to judge on; expected another, or by_image")
    if twice := next((name for name in args.fit_on if args.fit_on.count(name) > 1), None):
        raise AnomalyError(f"--fit-on {twice}: named twice; expected different data sets")
    if args.fit_on and args.meta != "by_image":
        raise AnomalyError(f"--fit-on and --meta-model {args.meta}: expected one of the two")
    for option, is_given, least in (
        ("--leave-source-out", args.leave_source_out, 2),
        ("--keep", args.keep is not None, 1),
        ("--fit-thresholds", bool(args.fit_thresholds), 1),
    ):
        if is_given and len(args.fit_on) < least:
            raise AnomalyError(
                f"{option} with {len(args.fit_on)} data sets to fit on; expected at least {least}: name them with "
                "--fit-on"
            )


def save_model(args: argparse.Namespace, console: Console, found: Study, plan: Plan, look: Look) -> None:
    """Write the model file of --save-meta, and say which parameters of the node go with it.

    Raises:
        AnomalyError: the classifier is worse than none on a source left out, and --force was not given.
        MetaModelError: the segments do not suffice for a fit.
    """
    from trust_seg_ros.evaluation.anomaly.benchmark import best_result

    score = best_result(found.results).score
    sources, left_out = found.sources[score], found.left_out.get(score, ())
    worse = [row.worse for row in left_out if row.worse]
    for text in worse:
        console.print(Text(f"worse than no meta classifier on {text}", style="red"))
    if worse and not args.force:
        raise AnomalyError(
            f"--save-meta {args.save_meta}: not written, as the meta classifier is worse than none on {len(worse)} of "
            f"{len(left_out)} left-out rows of {score} ({worse[0]}): fit on more sources, raise --keep, choose other "
            "--features, or write it all the same with --force"
        )
    model = plan.fit(sources)
    more: Json = {
        "data_set": ", ".join(source.name for source in sources),
        "features": plan.fit.features,
        "sources": [_source(source) for source in sources],
    }
    if plan.fit.keep is not None:
        more["keep"] = plan.fit.keep
    if left_out:
        more["left_out"] = [row.to_json() for row in left_out]
    if score.startswith("gradient"):
        more["gradient"] = asdict(look.gradient)
    replace(model, summary={**model.summary, **more}).save(args.save_meta)
    record(args, meta_model={"file": args.save_meta, "score": score, "threshold": model.threshold})
    console.print(
        f"wrote {args.save_meta}: fitted on {model.summary['segments']:,} segments of {more['data_set']}, discards "
        f"above P(false alarm) = {model.discard_above:.3g}",
        highlight=False,
    )
    console.print(
        f"parameters of the node: ood.meta_model:={args.save_meta} ood.score:={score}{_also(args, score, look)} "
        f"(ood.threshold as it is by default takes the file's, {model.threshold:.9g}, and ood.meta_threshold "
        f"{1.0 - model.discard_above:.3g})",
        highlight=False,
        soft_wrap=True,
    )
    if len(sources) > 1 and not left_out:
        say(console, "note: not judged on sources left out; --leave-source-out shows what it is worth elsewhere")


def _also(args: argparse.Namespace, score: str, look: Look) -> str:
    """Further parameters of the node that the score needs: its calibration, or the norm of its gradient."""
    from trust_seg_ros.uncertainty.score_names import CALIBRATED_SCORES, GRADIENT_SCORES, IN_LOGARITHMS

    needed: dict[str, object] = {}
    if score in CALIBRATED_SCORES:
        needed["calibration"] = args.calibration
    if score in GRADIENT_SCORES and look.gradient.p != IN_LOGARITHMS.p:
        needed["gradient.p"] = float(look.gradient.p)
    if score in GRADIENT_SCORES and look.gradient.variant != IN_LOGARITHMS.variant:
        needed["gradient.variant"] = look.gradient.variant
    return "".join(f" {name}:={value}" for name, value in needed.items())


def _source(source: Source) -> Json:
    from trust_seg_ros.evaluation.anomaly.sources import object_rows

    cut = source.cuts[0]
    _, numbers, there = object_rows(cut, source.actual)
    return {
        "name": source.name,
        "images": len(cut.indices),
        "segments": len(cut.data),
        "false_alarms": int(cut.data.false_alarm.sum()),
        "objects": there,
        "objects_found": len(set(numbers.tolist())),
    }


def _share(text: str) -> float:
    value = _number(text)
    if not 0.0 < value <= 1.0:
        raise argparse.ArgumentTypeError(f"{text!r}; expected a share above 0 and at most 1, for example 0.98")
    return value


def _number(text: str) -> float:
    try:
        value = float(text)
    except ValueError:
        value = math.nan
    if not math.isfinite(value):
        raise argparse.ArgumentTypeError(f"{text!r}; expected a number")
    return value
