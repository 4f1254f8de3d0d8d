"""Mean of the weights of several fine-tunings of one network: ``python tools/mean_weights.py OUT FILE FILE...``.

Runs that start from the same weights mostly end in one valley of the loss, where the mean of their weights is a network
of its own, often steadier away from home than each of them, at the cost of one (Wortsman et al., "Model soups", ICML
2022). Judge the mean like any other network: where runs have gone different ways it is worth nothing.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

import torch

from trust_seg_ros.errors import TrustSegError
from trust_seg_ros.support.tensor_file import load_tensors, save_tensors

WAY_OUT = "copy it again from where it was trained, or train it again"


def mean_weights(out: Path, files: Sequence[Path]) -> None:
    """Write the mean of weights files as ``trust-seg finetune`` and ``trust-seg train`` write them.

    Numbers that are not floating point, as batch norm's counters, are those of the first file; of the metadata stays
    what all files agree on, and ``mean of`` names the sha256 of each.

    Raises:
        TrustSegError: fewer than two files, one that is damaged, or files whose tensors differ in name, shape or kind.
        OSError: one that cannot be read, or written.
    """
    if len(files) < 2:
        raise TrustSegError(f"{len(files)} file; a mean takes two and more")
    loaded = [load_tensors(path, WAY_OUT) for path in files]
    first = {name: (value.shape, value.dtype) for name, value in loaded[0].tensors.items()}
    for path, file in zip(files[1:], loaded[1:], strict=True):
        found = {name: (value.shape, value.dtype) for name, value in file.tensors.items()}
        differing = sorted(name for name in {*first, *found} if first.get(name) != found.get(name))
        if differing:
            raise TrustSegError(
                f"{path}: in name, shape or kind {len(differing)} tensors differ from those of {files[0]}, the first "
                f"is {differing[0]!r}; give runs of one network"
            )
    mean = {name: _mean([file.tensors[name] for file in loaded]) for name in first}
    agreed = set.intersection(*(set(file.metadata.items()) for file in loaded))
    save_tensors(out, mean, {**dict(agreed), "mean of": " ".join(file.sha256 for file in loaded)})


def _mean(values: Sequence[torch.Tensor]) -> torch.Tensor:
    if not values[0].is_floating_point():
        return values[0]
    return torch.stack([value.double() for value in values]).mean(0).to(values[0].dtype)


def main(arguments: Sequence[str] | None = None) -> None:
    """Read the command line and write the mean; what is wrong ends it with a sentence."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("out", type=Path, metavar="OUT", help="weights file to write")
    parser.add_argument("files", type=Path, metavar="FILE", nargs="+", help="weights.safetensors of the runs")
    args = parser.parse_args(arguments)
    try:
        mean_weights(args.out, args.files)
    except (TrustSegError, OSError) as error:
        sys.exit(f"mean_weights: {error}")


if __name__ == "__main__":
    main()
