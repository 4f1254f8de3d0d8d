"""Paths on the command line, looked at before the work starts: a wrong one is refused before torch is loaded.

Each option says what it expects where it is added (:func:`expects`); ``cli`` calls :func:`check_given` once the command
line is parsed. What a file holds is looked at later, by what reads it.
"""

from __future__ import annotations

import argparse
import glob
import re
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from trust_seg_ros.bags.errors import NothingThere
from trust_seg_ros.commands.out_paths import check_out_file, check_out_folder
from trust_seg_ros.datasets.errors import DatasetError
from trust_seg_ros.errors import TrustSegError

Check = Callable[[str, Any, argparse.Namespace], None]
"""Name of the option, one value of it, all options -> nothing, or raises TrustSegError."""
_PROGRAMS = (
    ".pt2",
    ".ts",
    ".torchscript",
    ".pt",
    ".pth",
    ".safetensors",
    ".onnx",
    ".xml",
    ".engine",
    ".plan",
    ".trt",
    ".bin",
    ".ckpt",
)
_SETS = re.compile(r"(synthetic|pasted|marked):")
_FOLDERS_OF_SETS = re.compile(r":(?:objects|on|images)=([^:]*)")


class GivenPathError(TrustSegError):
    """A path on the command line does not exist, or is of another kind than the option expects."""


def expects(action: argparse.Action, check: Check) -> argparse.Action:
    """Have :func:`check_given` look at each value of an option; returns the option."""
    action.path_check = check  # type: ignore[attr-defined]
    return action


def check_given(parser: argparse.ArgumentParser, args: argparse.Namespace) -> None:
    """Look at every path given to a subcommand.

    Args:
        parser: parser of the subcommand.
        args: parsed by it.

    Raises:
        TrustSegError: the first wrong path; the text names the value, what was expected and the way out.
    """
    for action in parser._actions:
        check: Check | None = getattr(action, "path_check", None)
        value = getattr(args, action.dest, None)
        if check is None or value in (None, ""):
            continue
        name = max(action.option_strings, key=len, default="")
        for one in value if isinstance(value, list) else [value]:
            check(name, one, args)


def folder(name: str, value: Path, args: argparse.Namespace) -> None:
    """A folder that must exist."""
    if not value.expanduser().is_dir():
        what = "this is a file" if value.expanduser().exists() else "no such folder"
        raise GivenPathError(f"{name} {value}: {what}; expected a folder")


def labelled(name: str, value: str | Path, args: argparse.Namespace) -> None:
    """The folder of a labelled data set, with every split of ``args.split``."""
    from trust_seg_ros.datasets.layouts import find_split, has_splits

    root = Path(value).expanduser()
    if not root.is_dir():
        raise DatasetError(_no_folder(root))
    if has_splits(root):  # where there are none, the command says so
        for split in args.split if isinstance(args.split, list) else [args.split]:
            find_split(root, split)


def labelled_or_drawn(name: str, value: str, args: argparse.Namespace) -> None:
    """The folder of a labelled data set, or ``synthetic:...``."""
    if _SETS.match(value) is None and not Path(value).expanduser().is_dir():
        raise DatasetError(f"{name} {_no_folder(Path(value))}, or synthetic:seeds=FIRST-LAST")


def with_unknown(name: str, value: str, args: argparse.Namespace) -> None:
    """Images of unknown objects: a folder, or a set described by a text, whose folders are looked at."""
    described = _SETS.match(value) is not None
    folders = _FOLDERS_OF_SETS.findall(value) if described else [value]
    missing = next((folder for folder in folders if not Path(folder).expanduser().is_dir()), None)
    if missing is not None:
        where = f" ({name} {value})" if described else ""
        raise DatasetError(
            f"{missing}: no such folder{where}; expected a folder in a layout of docs/benchmark_ood.md, "
            "synthetic:seeds=FIRST-LAST:kinds=all, or pasted:objects=FOLDER:on=FOLDER:seeds=FIRST-LAST"
        )


def shifted(name: str, value: str, args: argparse.Namespace) -> None:
    """``DATASET[:KIND[:SEVERITY]]``."""
    from trust_seg_ros.commands.corruption_words import split_corruption

    root = split_corruption(value, 0)[0].expanduser()
    if not root.is_dir():
        raise DatasetError(_no_folder(root))


def network(name: str, value: str, args: argparse.Namespace) -> None:
    """The text that names a network; the path of a file or folder must exist."""
    path = Path(value).expanduser()
    named = value.startswith(("embedded:", "hf:")) or (":" in value and "/" not in value)
    if value == "embedded" or named or path.exists():
        return
    what = "file" if path.suffix in _PROGRAMS else "file or folder"
    given = f"{name} {value}".strip()  # without a name where it is no option
    raise GivenPathError(
        f"{given}: no such {what} ({path.absolute()}); expected embedded, embedded:NAME, hf:organisation/name, the "
        "file or folder of a network, or package.module:callable (docs/networks.md)"
    )


def label_set(name: str, value: str, args: argparse.Namespace) -> None:
    """The name of a shipped label set, or a YAML file."""
    from trust_seg_ros.support.paths import label_file

    label_file(value)


def label_map(name: str, value: str, args: argparse.Namespace) -> None:
    """A YAML file, or ``from-1``."""
    if value != "from-1" and not Path(value).expanduser().exists():
        raise DatasetError(f"{name} {value}: no such file; expected a YAML file, or from-1")


def file_of(what: str, remedy: str, words: Sequence[str] = ()) -> Check:
    """A file that must exist.

    Args:
        what: kind of file, for the text.
        remedy: how to get one, for the text.
        words: values that are no paths.
    """

    def check(name: str, value: str | Path, args: argparse.Namespace) -> None:
        if str(value) not in words and not Path(value).expanduser().is_file():
            kind = "this is a folder, no" if Path(value).expanduser().is_dir() else "no such"
            raise GivenPathError(f"{name} {value}: {kind} {what}; {remedy}")

    return check


meta_model = file_of("meta model file", "trust-seg fit writes one, and auto takes the shipped one", ("auto", "none"))
ood_meta_model = file_of(
    "meta model file of OoD segments",
    "trust-seg benchmark --save-meta writes one",
    ("auto", "none", "by_image", "leave_one_out"),
)
calibration = file_of("calibration file", "trust-seg calibrate writes one", ("auto", "none"))
_yaml = file_of("parameter file", "expected YAML, as for ros2 run --params-file")


def params_file(name: str, value: Path, args: argparse.Namespace) -> None:
    """A parameter file, and the paths in it that hold for every node it may be for."""
    from trust_seg_ros.node.params_file import NODE, read_sections

    _yaml(name, value, args)
    sections = read_sections(value)
    general = [section for section in sections if section.shared or section.key.strip("/") == NODE]
    own = {key for section in sections if section not in general for key in section.values}
    own |= {text.partition(":=")[0].strip() for text in args.parameters or ()}
    for key, path in {key: path for section in general for key, path in section.values.items()}.items():
        if key in _PARAMETERS and key not in own and isinstance(path, str) and path:
            _PARAMETERS[key](f"{value}: parameter {key}:", path, args)


def parameter(name: str, value: str, args: argparse.Namespace) -> None:
    """``NAME:=VALUE`` of the node, where the value is a path."""
    key, _, text = value.partition(":=")
    check = _PARAMETERS.get(key.strip())
    text = text.strip().strip("\"'")
    if check is not None and text:
        check(f"parameter {key.strip()}:", text, args)


_PARAMETERS: dict[str, Check] = {
    "model": network,
    "labels": label_set,
    "meta_model": meta_model,
    "ood.meta_model": ood_meta_model,
    "calibration": calibration,
}
"""Parameters of the node that name a file."""


def source(name: str, value: str, args: argparse.Namespace) -> None:
    """What ``open_source`` takes."""
    if (
        value not in ("motorway", "synthetic")
        and not Path(value).exists()
        and re.fullmatch(r"/dev/video\d+", value) is None
    ):
        raise NothingThere(
            f"{value} does not exist; a source is 'motorway', 'synthetic', a folder of images, a video file, a rosbag2 "
            "folder or a camera such as /dev/video0"
        )


def recordings(name: str, value: str, args: argparse.Namespace) -> None:
    """A recording, or a quoted pattern; of several, those that are missing are left out by the command."""
    if len(args.sources) == 1 and not Path(value).exists():
        if not glob.has_magic(value):
            source(name, value, args)
        elif not glob.glob(value, recursive=True):  # noqa: PTH207  (absolute ones)
            raise NothingThere(f"no path matches {value!r}")


def images(name: str, value: Path, args: argparse.Namespace) -> None:
    """An image, or a folder of images."""
    if not value.expanduser().exists():
        raise DatasetError(f"{value}: no such file or folder; expected an image, or a folder of images")


def truth(name: str, value: Path, args: argparse.Namespace) -> None:
    """A label image, or a folder of them."""
    if not value.expanduser().exists():
        raise DatasetError(f"{name} {value}: no such file or folder; expected a label image or a folder of them")


def new_folder(name: str, value: Path, args: argparse.Namespace) -> None:
    """A folder that is made if it is missing."""
    check_out_folder(Path(value).expanduser(), GivenPathError, name)


def picture_or_folder(name: str, value: Path, args: argparse.Namespace) -> None:
    """A picture, whose folder is made if it is missing, or a folder."""
    if not value.suffix or value.expanduser().is_dir():
        new_folder(name, value, args)


def not_a_folder(name: str, value: Path, args: argparse.Namespace) -> None:
    """A file whose folder is made if it is missing."""
    if value.expanduser().is_dir():
        raise GivenPathError(f"{name} {value} is a folder; expected a file")


def new_file(example: str) -> Check:
    """A file that can be written; ``example`` is a name to suggest."""

    def check(name: str, value: Path, args: argparse.Namespace) -> None:
        check_out_file(Path(value).expanduser(), example, GivenPathError, name)

    return check


def _no_folder(root: Path) -> str:
    what = "this is a file" if root.exists() else "no such folder"
    return f"{root}: {what}; expected the folder of a data set"
