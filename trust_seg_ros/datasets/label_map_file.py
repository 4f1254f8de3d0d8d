"""Reads label maps.

A file is YAML::

    from: camvid11          # the label set of the files, for names on the left; optional
    map:
      Building: building    # class of the files: class of the network; names or ids on both sides
      Pole: pole
      Car: car
      SUVPickupTruck: car   # several may become one
      11: ignore            # no class
    default: ignore         # all others; without it they are refused

``from-1`` in place of a file: ids count from 1, and 0 is no class.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from trust_seg_ros.datasets.errors import DatasetError
from trust_seg_ros.datasets.label_map import FROM_ONE, IGNORE, LabelMap
from trust_seg_ros.segmentation.errors import LabelError
from trust_seg_ros.segmentation.labels import LabelSet, load_labels
from trust_seg_ros.support.nearest import did_you_mean, unknown
from trust_seg_ros.support.reading import shown
from trust_seg_ros.support.yaml_text import read_yaml, yaml12
from trust_seg_ros.types import UNLABELLED

_KEYS = ("from", "map", "default")
_MOST = 65535


def label_map(text: str, labels: LabelSet) -> LabelMap:
    """The label map that the user named.

    Args:
        text: ``from-1``, or the path of a YAML file.
        labels: classes of the network.

    Raises:
        DatasetError: no such file, or a malformed one; an unknown class; a class of ``from`` that is not mapped.
    """
    if text == FROM_ONE:
        return LabelMap(FROM_ONE, ((0, UNLABELLED), *((c + 1, c) for c in range(len(labels)))), labels.names)
    path = Path(text).expanduser()
    if not path.exists():
        raise DatasetError(f"--label-map {text}: no such file; expected a YAML file, or {FROM_ONE}")
    return parsed(read_yaml(path, "label map", DatasetError, yaml12()), path, labels)


def parsed(content: Any, path: Path, labels: LabelSet) -> LabelMap:
    """A label map from the content of a YAML file; see :func:`label_map`."""
    if not isinstance(content, dict) or not isinstance(content.get("map"), dict):
        raise DatasetError(f"{path}: no label map; expected a mapping 'map' of label values to classes of the network")
    for key in content.keys() - set(_KEYS):
        raise DatasetError(f"{path}: {unknown('entry', key, _KEYS)}")
    if content.get("default", IGNORE) != IGNORE:
        raise DatasetError(f"{path}: default is {shown(content['default'])}; expected {IGNORE}, or no default")
    files = _label_set(content.get("from"), path)
    ids: dict[int, int] = {} if files is None or files.ignore is None else {files.ignore: UNLABELLED}
    given: dict[int, Any] = {}
    for key, target in content["map"].items():
        value = _value(key, files, path)
        if value in given:
            raise DatasetError(f"{path}: {given[value]!r} and {key!r} are the same label value {value}; expected one")
        given[value] = key
        ids[value] = _class_id(key, target, labels, path)
    if ids.pop(UNLABELLED, UNLABELLED) != UNLABELLED:
        raise DatasetError(f"{path}: {UNLABELLED} is mapped to a class; in label files it always means no class")
    found = LabelMap(path.name, tuple(sorted(ids.items())), labels.names, "default" in content)
    if files is not None and not found.ignore_rest:
        missing = [repr(name) for c, name in enumerate(files.names) if c not in ids]
        if missing:
            raise DatasetError(
                f"{path}: {', '.join(missing)} of {files.name!r} are not mapped; map each to a class or to {IGNORE}, "
                f"or add 'default: {IGNORE}'"
            )
    return found


def _label_set(name: Any, path: Path) -> LabelSet | None:
    """The label set of the files; a path is relative to the folder of the map."""
    if name is None:
        return None
    try:
        beside = path.parent / str(name)
        return load_labels(beside if beside.is_file() else str(name))
    except LabelError as error:
        raise DatasetError(f"{path}: from: {error}") from None


def _value(key: Any, files: LabelSet | None, path: Path) -> int:
    if isinstance(key, int) and not isinstance(key, bool):
        if not 0 <= key <= _MOST:
            raise DatasetError(f"{path}: {shown(key)} is not a label value; expected 0 to {_MOST}")
        return key
    if not isinstance(key, str):
        raise DatasetError(f"{path}: {shown(key)} in 'map' is neither a label value nor a name; put names in quotes")
    if files is None:
        raise DatasetError(
            f"{path}: {key!r} is a name; name the label set of the files with 'from', or give label values"
        )
    place = _place(key, files.names)
    if place is None:
        raise DatasetError(f"{path}: {unknown(f'class of {files.name}', key, files.names)}")
    return place


def _class_id(key: Any, target: Any, labels: LabelSet, path: Path) -> int:
    if target in (IGNORE, UNLABELLED):
        return UNLABELLED
    if isinstance(target, int) and not isinstance(target, bool) and 0 <= target < len(labels):
        return target
    place = _place(target, labels.names) if isinstance(target, str) else None
    if place is None:
        raise DatasetError(
            f"{path}: {key!r} is mapped to {shown(target)}, which is no class of the network; expected {IGNORE}, an id "
            f"from 0 to {len(labels) - 1}, or one of {', '.join(labels.names)}{did_you_mean(target, labels.names)}"
        )
    return place


def _place(name: str, names: tuple[str, ...]) -> int | None:
    """Position of a name, upper and lower case alike."""
    lower = [each.casefold() for each in names]
    return lower.index(name.casefold()) if name.casefold() in lower else None
