"""Which segment metrics a meta model uses: named sets, subsets of them, and how the predicted class enters.

A choice is a text: names of feature sets (``metaseg``, ``meta_ood``, ``meta_scale_free``, ``all``; ``metaseg_time``,
``meta_ood_time`` and ``meta_scale_free_time`` add how these metrics changed), names of metrics
and shell patterns (``E*``, ``cprob_*``), separated by commas; an entry with a leading ``-`` is removed again:
``meta_ood,-*_var,-row``.
One-hot classes are columns ``class_0``, ``class_1``, … that no table stores: they follow from the predicted class.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from fnmatch import fnmatchcase
from typing import Protocol

import numpy as np

from trust_seg_ros.meta.choices import CLASS_INPUTS
from trust_seg_ros.meta.errors import MetaModelError
from trust_seg_ros.segments.families import QUERY_METRICS
from trust_seg_ros.segments.features import FEATURE_SETS, feature_set
from trust_seg_ros.segments.history.window import base_names, is_time_name, time_names
from trust_seg_ros.support.nearest import did_you_mean

PROBABILITY, ONE_HOT = "cprob_", "class_"
TIME_SETS = {"metaseg_time": "metaseg", "meta_ood_time": "meta_ood", "meta_scale_free_time": "meta_scale_free"}
"""Sets with metrics over time -> the set whose metrics they follow."""
_NO_PAST = (
    "these segments are of single images: expected frames of a sequence (trust-seg fit --time, a node with tracking on)"
)


class MetricSource(Protocol):
    """A source of metrics: a ``SegmentTable`` or ``SegmentData``."""

    @property
    def names(self) -> tuple[str, ...]:
        """Metrics there are."""

    @property
    def metrics(self) -> np.ndarray:
        """(n, m) float64."""

    @property
    def class_ids(self) -> np.ndarray:
        """(n,) uint8 predicted class."""


def chosen_features(spec: str, available: Sequence[str], class_input: str = "probabilities") -> tuple[str, ...]:
    """Names of the metrics that a choice selects, in the order of ``available``; one-hot columns come last.

    Args:
        spec: the choice, see this module's description.
        available: the available metrics; as many ``cprob_`` among them as the network has classes.
        class_input: for the classes that the choice names, ``probabilities`` leaves the columns unchanged, ``one-hot``
            uses ``class_c`` (1 where the segment is predicted as c, else 0) in place of ``cprob_c``, ``both`` uses
            both, and ``none`` removes both.

    Raises:
        MetaModelError: a name or pattern matches nothing, the available metrics lack a part of a set, the class input
            is unknown or needs classes that the choice does not name, or nothing is left.
    """
    if class_input not in CLASS_INPUTS:
        raise MetaModelError(f"no class input {class_input!r}; choose one of: {', '.join(CLASS_INPUTS)}")
    known = [*available, *(ONE_HOT + c for c in _classes(available))]
    chosen: set[str] = set()
    for word in filter(None, (word.strip() for word in spec.split(","))):
        if word.startswith("-"):
            chosen -= _meant(word[1:].strip(), known, available)
        else:
            chosen |= _meant(word, known, available)
    chosen = _with_classes(chosen, class_input, spec)
    if not chosen:
        raise MetaModelError(f"{spec!r} with class input {class_input!r} leaves no metric; name at least one")
    return tuple(name for name in known if name in chosen)


def _classes(names: Iterable[str], prefix: str = PROBABILITY) -> list[str]:
    return [name.removeprefix(prefix) for name in names if name.startswith(prefix)]


def _with_classes(chosen: set[str], class_input: str, spec: str) -> set[str]:
    if class_input == "probabilities":
        return chosen
    classes = {*_classes(chosen), *_classes(chosen, ONE_HOT)}
    if not classes and class_input != "none":
        raise MetaModelError(
            f"class input {class_input!r} wants classes, and the choice {spec!r} names none; add {PROBABILITY}* to it"
        )
    prefixes = {"one-hot": (ONE_HOT,), "both": (PROBABILITY, ONE_HOT), "none": ()}[class_input]
    others = {name for name in chosen if not name.startswith((PROBABILITY, ONE_HOT))}
    return others | {prefix + c for prefix in prefixes for c in classes}


def _meant(word: str, known: Sequence[str], available: Sequence[str]) -> set[str]:
    if word == "all":
        return set(available)
    if word in FEATURE_SETS or word in TIME_SETS:
        wanted = FEATURE_SETS[TIME_SETS.get(word, word)].names(len(_classes(available)))
        if word in TIME_SETS:
            wanted = (*wanted, *time_names(wanted))
            if not any(map(is_time_name, available)):
                raise MetaModelError(f"the set {word} has metrics over time, and {_NO_PAST}")
        if absent := [name for name in wanted if name not in available]:
            raise MetaModelError(
                f"the segments lack {', '.join(absent)} of the set {word}; name metrics that they have: "
                f"{', '.join(available)}"
            )
        return set(wanted)
    matches = {name for name in available if fnmatchcase(name, word)}  # * and c* mean metrics, not one-hot classes
    matches = matches or {name for name in known if fnmatchcase(name, word)}
    if not matches:
        if is_time_name(word) and not any(map(is_time_name, available)):
            raise MetaModelError(f"{word!r} is a metric over time, and {_NO_PAST}")
        near = did_you_mean(word, (*FEATURE_SETS, *TIME_SETS, *known)).removeprefix("; ")
        raise MetaModelError(
            f"no segment metric {word!r}{f' ({near})' if near else ''}; there are the sets "
            f"{', '.join((*FEATURE_SETS, *TIME_SETS))} and the metrics {', '.join(known)}"
        )
    return matches


def design_matrix(source: MetricSource, names: Sequence[str]) -> np.ndarray:
    """The metrics ``names`` of every segment, (n, len(names)) float64; ``class_c`` follows from the predicted class.

    The array is a copy: changing it changes nothing else.

    Raises:
        MetaModelError: the source lacks a metric.
    """
    position = {name: column for column, name in enumerate(source.names)}
    absent = [name for name in names if name not in position and not is_one_hot(name)]
    if absent:
        if all(map(is_time_name, absent)) and not any(map(is_time_name, source.names)):
            raise MetaModelError(f"the meta model looks at metrics over time ({absent[0]}, …), and {_NO_PAST}")
        raise MetaModelError(f"the segment table lacks {', '.join(absent)}; it has {', '.join(source.names)}")
    if all(name in position for name in names):
        return source.metrics[:, [position[name] for name in names]]
    matrix = np.empty((len(source.class_ids), len(names)))
    for column, name in enumerate(names):
        if name in position:
            matrix[:, column] = source.metrics[:, position[name]]
        else:
            matrix[:, column] = source.class_ids == int(name.removeprefix(ONE_HOT))
    return matrix


def required_set(names: Sequence[str], n_classes: int, least: str = "metaseg", scores: Sequence[str] = ()) -> str:
    """Name of the feature set with the fewest metrics that holds all metrics ``names`` and the set ``least``.

    Args:
        names: metrics of a meta model; one-hot classes need no metric, those of queries no set, and metrics over time
            those that they follow.
        n_classes: number of classes of the network.
        least: name of a set; only ``all`` holds both ``meta_ood`` and ``meta_scale_free``.
        scores: further maps that are aggregated, see ``segments.scores``.

    Raises:
        FeatureError: there is no set ``least``.
        MetaModelError: no set holds them, or a class does not exist.
    """
    one_hot = {f"{ONE_HOT}{c}" for c in range(n_classes)}
    wanted = [name for name in base_names(names) if name not in one_hot and name not in QUERY_METRICS]
    columns = {name: set(FEATURE_SETS[name].with_maps(tuple(scores)).names(n_classes)) for name in FEATURE_SETS}
    needed = set(wanted) | set(feature_set(least).names(n_classes))
    for candidate in sorted(columns, key=lambda name: len(columns[name])):
        if needed <= columns[candidate]:
            return candidate
    largest = FEATURE_SETS["all"].with_maps(tuple(scores)).names(n_classes)
    absent = [name for name in wanted if name not in largest]
    raise MetaModelError(
        f"the meta model needs segment metrics that cannot be computed for {n_classes} classes: "
        f"{', '.join(absent)}{did_you_mean(absent[0], largest)}; fit one on metrics of the set all "
        "(trust-seg fit --features …), or set meta_model to none"
    )


def is_one_hot(name: str) -> bool:
    """Whether a metric is a column ``class_c``, which no table stores."""
    return name.startswith(ONE_HOT) and name.removeprefix(ONE_HOT).isdecimal()
