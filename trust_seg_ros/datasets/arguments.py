"""Options of every subcommand that runs a network, over labelled images or others."""

from __future__ import annotations

import argparse
import re
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from trust_seg_ros.datasets.folders import LabelledFolder
    from trust_seg_ros.segmentation.labels import LabelSet
    from trust_seg_ros.segmentation.settings import NetworkSettings


def add_data_arguments(
    parser: argparse.ArgumentParser,
    epilog: str,
    split: str,
    purpose: str,
    *,
    several: bool = False,
    optional: bool = False,
) -> None:
    """DATASET, --split and --ignore, and the options of :func:`add_network_arguments`.

    Args:
        parser: of the subcommand.
        epilog: examples below the options.
        split: default of --split.
        purpose: what is done with the split, for its help.
        several: --split may be given several times; ``args.split`` is a list then.
        optional: DATASET may be left out; ``args.dataset`` is None then.
    """
    parser.epilog = epilog
    parser.formatter_class = argparse.RawDescriptionHelpFormatter
    parser.add_argument(
        "dataset",
        type=Path,
        metavar="DATASET",
        nargs="?" if optional else None,
        help="folder of the data set: Cityscapes, CamVid, or images/ and labels/ (docs/datasets.md)",
    )
    more = "; several times: all together" if several else ""
    parser.add_argument(
        "--split",
        default=[split] if several else split,
        action=_Collected if several else "store",
        help=f"part of the data set to {purpose} (default: {split}; of no effect where images/ has no parts){more}",
    )
    parser.add_argument(
        "--ignore",
        type=int,
        nargs="*",
        metavar="ID",
        help="label values without a class (default: the label set's, and 255)",
    )
    add_network_arguments(parser)


def add_network_arguments(parser: argparse.ArgumentParser) -> None:
    """Which network, and how it is run: what :func:`network_settings` reads."""
    group = parser.add_argument_group("network")
    group.add_argument("--model", default="embedded", help="network, as the node's parameter (default: %(default)s)")
    group.add_argument("--labels", default="", help="label set: a name or a YAML file (default: the network's own)")
    group.add_argument("--device", default="auto", help="auto, cpu, cuda or cuda:N (default: %(default)s)")
    group.add_argument(
        "--half", choices=("auto", "on", "off"), default="auto", help="half precision (default: auto: on a GPU)"
    )
    group.add_argument(
        "--input-size",
        type=_size,
        metavar="WIDTHxHEIGHT",
        help="what images are stretched to for the network; 0x0: nothing is stretched (default: the network's own)",
    )
    for name, what in (("mean", "mean"), ("std", "standard deviation")):
        group.add_argument(
            f"--{name}",
            type=float,
            nargs=3,
            metavar=("R", "G", "B"),
            help=f"{what} of red, green and blue in 0..1 that the network expects (default: its own)",
        )
    group.add_argument("--order", choices=("rgb", "bgr"), help="order of colours it expects (default: its own)")


def network_settings(args: argparse.Namespace) -> NetworkSettings:
    """The network that the options of :func:`add_network_arguments` name."""
    from trust_seg_ros.segmentation.settings import NetworkSettings

    return NetworkSettings(
        model=args.model,
        labels=args.labels,
        device=args.device,
        half=args.half,
        input_size=args.input_size,
        mean=args.mean and tuple(args.mean),
        std=args.std and tuple(args.std),
        order=args.order,
    )


def open_split(args: argparse.Namespace, split: str, labels: LabelSet) -> LabelledFolder:
    """The labelled images of one split, as the options say.

    Args:
        args: parsed options of :func:`add_data_arguments`.
        split: name of the split.
        labels: classes of the network.

    Raises:
        DatasetError: as ``layouts.open_dataset``.
    """
    from trust_seg_ros.datasets.layouts import open_dataset

    return open_dataset(args.dataset, split, labels, None if args.ignore is None else tuple(args.ignore))


def _size(text: str) -> tuple[int, int]:
    """WIDTHxHEIGHT as (height, width)."""
    match = re.fullmatch(r"(\d+)[xX×](\d+)", text)
    if match is None:
        raise argparse.ArgumentTypeError(f"{text!r} is not a size; expected WIDTHxHEIGHT, for example 1024x512")
    return int(match[2]), int(match[1])


class _Collected(argparse.Action):
    """One value each time; the first replaces the default."""

    def __call__(
        self,
        parser: argparse.ArgumentParser,
        namespace: argparse.Namespace,
        values: str | Sequence[Any] | None,
        option_string: str | None = None,
    ) -> None:
        before = getattr(namespace, self.dest)
        setattr(namespace, self.dest, [*([] if before is self.default else before), values])
