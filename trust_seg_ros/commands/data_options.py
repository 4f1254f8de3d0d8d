"""Options of every subcommand that runs a network, on labelled or other images."""

from __future__ import annotations

import argparse
import math
import re
from pathlib import Path
from typing import TYPE_CHECKING, Any

from trust_seg_ros.commands import given_paths as given
from trust_seg_ros.commands.label_options import add_label_arguments, label_values
from trust_seg_ros.commands.passes_options import add_passes_arguments, passes_settings
from trust_seg_ros.datasets.errors import DatasetError
from trust_seg_ros.support.backends import BACKENDS
from trust_seg_ros.support.content_hash import is_hash

if TYPE_CHECKING:  # importing these would make every --help wait for torch
    from trust_seg_ros.datasets.folders import LabelledFolder
    from trust_seg_ros.segmentation.labels import LabelSet
    from trust_seg_ros.segmentation.settings import NetworkSettings
    from trust_seg_ros.uncertainty.gradient_inputs import GradientSettings

WHOLE = "all"
"""Name of the only split of a data set that has none."""
_MAX_SIDE = 1 << 14


def add_data_arguments(
    parser: argparse.ArgumentParser,
    epilog: str,
    split: str,
    purpose: str,
    *,
    several: bool = False,
    optional: bool = False,
) -> None:
    """DATASET, --split, and the options of ``add_label_arguments`` and ``add_network_arguments``.

    ``args.split`` is ``WHOLE`` if no split was given and DATASET has none.

    Args:
        parser: parser of the subcommand.
        epilog: examples below the options.
        split: default of --split.
        purpose: what the split is used for, for the help text.
        several: --split may be given several times; ``args.split`` is a list then.
        optional: DATASET may be left out; ``args.dataset`` is None then.
    """
    parser.epilog = epilog
    parser.formatter_class = argparse.RawDescriptionHelpFormatter
    dataset = parser.add_argument(
        "dataset",
        type=Path,
        metavar="DATASET",
        action=_DataSet,
        several=several,
        nargs="?" if optional else None,
        help="folder of the data set, in any layout of docs/datasets.md",
    )
    given.expects(dataset, given.labelled)
    more = "; several times: all together" if several else ""
    parser.add_argument(
        "--split",
        default=[split] if several else split,
        action=_Split,
        several=several,
        help=f"part of the data set to {purpose} (default: {split}, or {WHOLE} where images/ has no parts){more}",
    )
    add_label_arguments(parser)
    add_network_arguments(parser)


def add_network_arguments(parser: argparse.ArgumentParser) -> None:
    """Options for the network and how it is run; :func:`network_settings` reads them."""
    group = parser.add_argument_group("network")
    model = group.add_argument(
        "--model", default="embedded", help="network, as in the node's parameter (default: %(default)s)"
    )
    given.expects(model, given.network)
    group.add_argument(
        "--model-sha256",
        type=_sha256,
        default="",
        metavar="HASH",
        help="refuse a network with another sha256 (as printed by sha256sum, or its first 12 digits or more)",
    )
    group.add_argument(
        "--features-layer",
        default="",
        metavar="NAME",
        help="layer whose output feature scores compare, by its name in the network (default: the last layer's input)",
    )
    labels = group.add_argument(
        "--labels", default="", help="label set: a name or a YAML file (default: the network's own)"
    )
    given.expects(labels, given.label_set)
    group.add_argument(
        "--device", type=_device, default="auto", help="auto, cpu, cuda or cuda:N (default: a GPU if there is one)"
    )
    group.add_argument(
        "--half", choices=("auto", "on", "off"), default="auto", help="half precision (default: auto: on a GPU)"
    )
    group.add_argument(
        "--backend",
        choices=BACKENDS,
        default=BACKENDS[0],
        help="library that runs the network (default: torch; auto: the fastest here whose answers agree)",
    )
    group.add_argument(
        "--providers",
        default="",
        metavar="NAMES",
        help="what ONNX Runtime computes by, in order of preference: cuda, tensorrt, cpu, … with commas (default: as "
        "--device says)",
    )
    group.add_argument(
        "--input-size",
        type=parsed_size,
        metavar="WIDTHxHEIGHT",
        help="columns x rows that images are stretched to for the network, e.g. 1024x512; 0x0: not stretched "
        "(default: the network's own)",
    )
    for name, kind, what in (("mean", _number, "mean"), ("std", _positive, "standard deviation")):
        group.add_argument(
            f"--{name}",
            type=kind,
            nargs=3,
            metavar=("R", "G", "B"),
            help=f"{what} of red, green and blue in 0..1 that the network expects (default: its own)",
        )
    group.add_argument("--order", choices=("rgb", "bgr"), help="colour order it expects (default: its own)")
    add_passes_arguments(group, parsed_size)


def add_grid_argument(group: argparse._ActionsContainer, fitted: str) -> None:
    """--grid, of commands that make segments or judge them; ``args.grid`` is the text of ``trust_seg_ros.grid``.

    Args:
        group: parser or group of options.
        fitted: what ``fitted`` means for this command.
    """
    group.add_argument(
        "--grid",
        type=_grid,
        default="fitted",
        metavar="GRID",
        help=f"grid that segments and their metrics are made on: fitted ({fitted}), network (the logits' own), image, "
        "WIDTHxHEIGHT, or area:WIDTHxHEIGHT (as many pixels, in the shape of the image) (default: %(default)s)",
    )


def add_segments_from_argument(group: argparse._ActionsContainer, fitted: str) -> None:
    """--segments-from, of commands that make segments; ``args.segments_from`` is one of ``segments.origins.SETTINGS``.

    Args:
        group: parser or group of options.
        fitted: what ``fitted`` means for this command.
    """
    group.add_argument(
        "--segments-from",
        choices=("fitted", "components", "queries"),
        default="fitted",
        help="what makes a segment: components (neighbouring pixels of one class), queries (the pixels of a class that "
        f"one query of a mask network claims), or fitted ({fitted}) (default: %(default)s)",
    )


def add_gradient_arguments(group: argparse._ActionsContainer) -> None:
    """--gradient-p and --gradient-variant, of commands that compute pixel scores."""
    group.add_argument(
        "--gradient-p", type=float, default=0.5, metavar="P", help="norm of gradient scores (default: %(default)s)"
    )
    group.add_argument(
        "--gradient-variant",
        choices=("exact", "published"),
        default="exact",
        help="formula of gradient scores (default: %(default)s)",
    )


def add_keep_going_argument(group: argparse._ActionsContainer) -> None:
    """--keep-going, of commands that read labelled images."""
    group.add_argument("--keep-going", action="store_true", help="leave out images that cannot be read, and list them")


def gradient_settings(args: argparse.Namespace) -> GradientSettings:
    """Gradient settings from the options of :func:`add_gradient_arguments`; norms as logarithms.

    Raises:
        SettingError: a norm out of range.
    """
    from trust_seg_ros.uncertainty.gradient_inputs import GradientSettings

    return GradientSettings(args.gradient_p, args.gradient_variant, scale="log")


def network_settings(args: argparse.Namespace) -> NetworkSettings:
    """Network settings from the options of :func:`add_network_arguments`; loads nothing."""
    from trust_seg_ros.segmentation.settings import NetworkSettings

    return NetworkSettings(
        model=args.model,
        labels=args.labels,
        device=args.device,
        half=args.half,
        input_size=args.input_size,
        mean=None if args.mean is None else tuple(args.mean),
        std=None if args.std is None else tuple(args.std),
        order=args.order,
        model_sha256=args.model_sha256,
        features_layer=args.features_layer,
        backend=args.backend,
        providers=args.providers,
        **passes_settings(args),
    )


def open_split(args: argparse.Namespace, split: str, labels: LabelSet, *, some: bool = False) -> LabelledFolder:
    """The labelled images of one split, as given by the options.

    Args:
        args: parsed options of :func:`add_data_arguments`.
        split: name of the split; ``WHOLE`` is all of a data set without splits.
        labels: classes of the network.
        some: leave out images without labels.

    Raises:
        DatasetError: as ``layouts.open_dataset``; or a split is named where there are none: a split to fit on and
            another to judge on would then be the same images.
    """
    from trust_seg_ros.datasets.layouts import open_dataset

    whole = _is_whole(args.dataset)
    if whole and split != WHOLE:
        raise DatasetError(
            f"{args.dataset}: no split {split!r}; images/ and labels/ lie in it directly, so it has no splits: leave "
            f"--split out, or use {WHOLE!r}"
        )
    return open_dataset(args.dataset, None if whole else split, labels, *label_values(args, labels), some=some)


class _DataSet(argparse.Action):
    """DATASET. Without --split, a data set that has no splits is used whole."""

    def __init__(self, *args: Any, several: bool, **options: Any) -> None:
        super().__init__(*args, **options)
        self._several = several

    def __call__(self, parser: Any, namespace: argparse.Namespace, values: Any, option_string: Any = None) -> None:
        namespace.dataset = values
        if values is not None and not getattr(namespace, "split_named", False) and _is_whole(values):
            namespace.split = [WHOLE] if self._several else WHOLE


class _Split(argparse.Action):
    """--split, once or several times; replaces the default."""

    def __init__(self, *args: Any, several: bool, **options: Any) -> None:
        super().__init__(*args, **options)
        self._several = several

    def __call__(self, parser: Any, namespace: argparse.Namespace, values: Any, option_string: Any = None) -> None:
        before = namespace.split if getattr(namespace, "split_named", False) else []
        namespace.split = [*before, values] if self._several else values
        namespace.split_named = True


def _is_whole(root: Path) -> bool:
    from trust_seg_ros.datasets.layouts import has_splits

    try:
        return not has_splits(root.expanduser())
    except OSError:  # opening the data set gives the error message
        return False


def parsed_size(text: str) -> tuple[int, int]:
    """WIDTHxHEIGHT as (height, width); (0, 0) for 0x0.

    Raises:
        argparse.ArgumentTypeError: it is no size.
    """
    sides = re.fullmatch(r"(\d+)[xX×](\d+)", text, re.ASCII)
    size = (int(sides[2]), int(sides[1])) if sides else (-1, -1)
    if size != (0, 0) and not all(1 <= side <= _MAX_SIDE for side in size):
        raise argparse.ArgumentTypeError(
            f"{text!r} is not a size; expected WIDTHxHEIGHT, each from 1 to {_MAX_SIDE}, for example 1024x512, or 0x0"
        )
    return size


def _grid(text: str) -> str:
    if text in ("fitted", "network", "image"):  # known without NumPy
        return text
    from trust_seg_ros.grid import GridError, parsed_grid

    try:
        parsed_grid(text)
    except GridError as error:
        raise argparse.ArgumentTypeError(str(error)) from error
    return text


def _number(text: str) -> float:
    return _finite(text, -math.inf, "numbers, for example 0.485 0.456 0.406")


def _positive(text: str) -> float:
    return _finite(text, 0.0, "numbers above 0, for example 0.229 0.224 0.225")


def _finite(text: str, above: float, expected: str) -> float:
    try:
        value = float(text)
    except ValueError:
        value = math.nan
    if not (math.isfinite(value) and value > above):
        raise argparse.ArgumentTypeError(f"{text!r}; expected three {expected}")
    return value


def _sha256(text: str) -> str:
    if text and not is_hash(text):
        raise argparse.ArgumentTypeError(
            f"{text!r} is not a sha256; expected 64 hexadecimal digits as sha256sum prints, or the first 12 or more"
        )
    return text.lower()


def _device(text: str) -> str:
    if not re.fullmatch(r"auto|cpu|cuda(:\d+)?", text, re.ASCII):
        raise argparse.ArgumentTypeError(f"{text!r} is not a device; expected auto, cpu, cuda or cuda:N")
    return text
