"""The families of segment metrics: a row gives columns, function, set and text; everything else follows from it.

To add one, write a function of :class:`Measured` and put a row at the end of ``FAMILIES``: docs/extending.md shows it.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import cache
from itertools import groupby

import numpy as np

from trust_seg_ros.segments.errors import FeatureError
from trust_seg_ros.segments.measured import Measured, Moments
from trust_seg_ros.segments.sums import CLASSES, NEIGHBOURS

QUERY, QUERY_METRICS = "query", ("query_prob", "query_mask")
"""The family of segments that are those of queries, and its columns."""
Columns = np.ndarray | Sequence[np.ndarray]
"""Values of a family: (n,) for one column, or one (n,) per column."""


@dataclass(frozen=True, kw_only=True)
class Family:
    """Metrics that are computed together, once per segment.

    Attributes:
        name: the name that a ``FeatureSet`` lists it by.
        columns: names of its columns; a name with ``{c}`` stands for one column per class, 0 to q - 1.
        values: function from the segments to a column (n,) float64 for each name, finite.
        text: meaning of the columns, one line of Markdown.
        least: the smallest of the nested feature sets ``metaseg``, ``meta_ood``, ``all`` that holds it; the larger ones
            do, too. Files of meta models and segment tables name metrics, so an existing set may grow, but a new
            family belongs in ``all``. "" = none holds it: it is added where segments are those of queries.
        scale_free: whether its values stay the same, up to rounding, where the same picture has more pixels; such
            families make up the set ``meta_scale_free``.
        sums: what must be added up over the segments beforehand: ``CLASSES``, ``NEIGHBOURS`` or both.
    """

    name: str
    columns: tuple[str, ...]
    values: Callable[[Measured], Columns]
    text: str
    least: str = "all"
    scale_free: bool = False
    sums: tuple[str, ...] = ()


@dataclass(frozen=True, kw_only=True)
class MapFamily:
    """Metrics of every map of a feature set.

    Attributes:
        columns: names of its columns; ``{h}`` stands for the map, E, D, V or a further one.
        values: function from the segments, and the means of one map over them, to a column (n,) float64 for each name.
        name, text, least, scale_free: as in :class:`Family`.
    """

    name: str
    columns: tuple[str, ...]
    values: Callable[[Measured, Moments], Columns]
    text: str
    least: str = "all"
    scale_free: bool = False

    @property
    def sums(self) -> tuple[str, ...]:
        """None besides the sums over the maps."""
        return ()


def _sizes(seen: Measured) -> Columns:
    return seen.size, seen.interior, seen.boundary, seen.relative, seen.relative_interior


def _means(seen: Measured, of: Moments) -> Columns:
    return of.means


def _relative_means(seen: Measured, of: Moments) -> Columns:
    return _relative(seen, *of.means)


def _variances(seen: Measured, of: Moments) -> Columns:
    return of.variances


def _relative_variances(seen: Measured, of: Moments) -> Columns:
    return _relative(seen, *of.variances)


def _relative(seen: Measured, over_all: np.ndarray, over_interior: np.ndarray, _: np.ndarray) -> Columns:
    return over_all * seen.relative, over_interior * seen.relative_interior


def _shares(seen: Measured) -> Columns:
    height, width = seen.classes.shape
    area, diagonal = height * width, math.hypot(height, width)
    compact = seen.size / seen.boundary**2
    return seen.size / area, seen.interior / area, seen.boundary / diagonal, compact


def _centroid(seen: Measured) -> Columns:
    return seen.sums.sizes[:, 1] / seen.size, seen.sums.sizes[:, 2] / seen.size


def _relative_centroid(seen: Measured) -> Columns:
    height, width = seen.classes.shape
    row, column = _centroid(seen)
    return (row + 0.5) / height, (column + 0.5) / width


def _probabilities(seen: Measured) -> Columns:
    assert seen.sums.cprob is not None
    return list((seen.sums.cprob / seen.size[:, None]).T)


def _neighbours(seen: Measured) -> Columns:
    pairs = seen.sums.ndist
    assert pairs is not None
    return list((pairs[:, :-1] / np.maximum(pairs[:, -1:], 1.0)).T)


def _query(seen: Measured) -> Columns:
    if seen.query is None:
        raise FeatureError(
            f"the metrics {', '.join(QUERY_METRICS)} need segments that are those of queries: segments_from='queries'"
        )
    return list(seen.query.T)


FAMILIES: tuple[Family | MapFamily, ...] = (
    Family(
        name="size",
        columns=("S", "S_in", "S_bd", "S_rel", "S_in_rel"),
        values=_sizes,
        text="pixels of the segment, its interior, its boundary; S / S_bd; S_in / S_bd",
        least="metaseg",
    ),
    MapFamily(
        name="mean",
        columns=("{h}", "{h}_in", "{h}_bd"),
        values=_means,
        text="mean over the segment, its interior, its boundary",
        least="metaseg",
        scale_free=True,
    ),
    MapFamily(
        name="relative_mean",
        columns=("{h}_rel", "{h}_in_rel"),
        values=_relative_means,
        text="h · S_rel; h_in · S_in_rel",
        least="metaseg",
    ),
    MapFamily(
        name="variance",
        columns=("{h}_var", "{h}_in_var", "{h}_bd_var"),
        values=_variances,
        text="variance over the same pixels",
        least="meta_ood",
        scale_free=True,
    ),
    MapFamily(
        name="relative_variance",
        columns=("{h}_rel_var", "{h}_in_rel_var"),
        values=_relative_variances,
        text="h_var · S_rel; h_in_var · S_in_rel",
        least="meta_ood",
    ),
    Family(name="centroid", columns=("row", "column"), values=_centroid, text="centroid, pixels", least="meta_ood"),
    Family(
        name="cprob",
        columns=("cprob_{c}",),
        values=_probabilities,
        text="mean probability of class c over the segment",
        least="metaseg",
        scale_free=True,
        sums=(CLASSES,),
    ),
    Family(
        name="ndist",
        columns=("ndist_{c}",),
        values=_neighbours,
        text="share of (pixel, 8-neighbour outside the segment) pairs whose neighbour has class c",
        least="meta_ood",
        scale_free=True,
        sums=(NEIGHBOURS,),
    ),
    Family(
        name="share",
        columns=("S_area", "S_in_area", "S_bd_diagonal", "S_compact"),
        values=_shares,
        text="S and S_in per pixel of the grid; S_bd per diagonal of the grid; compactness S / S_bd²",
        scale_free=True,
    ),
    Family(
        name="relative_centroid",
        columns=("row_share", "column_share"),
        values=_relative_centroid,
        text="centroid as a share of the grid's height and width, 0 to 1",
        scale_free=True,
    ),
    Family(
        name=QUERY,
        columns=QUERY_METRICS,
        values=_query,
        text="P(class) of the segment's query; mean of its mask over the segment; with `segments_from: queries` only",
        least="",
    ),
)
"""Every family, in the order of the columns; families of maps that follow each other are taken map by map."""


def families_of(names: Sequence[str]) -> tuple[Family | MapFamily, ...]:
    """The families of these names, in the order of ``FAMILIES``."""
    return tuple(family for family in FAMILIES if family.name in names)


def column_names(families: Sequence[Family | MapFamily], maps: Sequence[str], n_classes: int) -> tuple[str, ...]:
    """Names of all columns in order.

    Args:
        families: in the order of ``FAMILIES``.
        maps: prefixes of the maps.
        n_classes: number of classes.
    """
    return tuple(name for _, _, names in column_groups(families, maps, n_classes) for name in names)


def column_groups(
    families: Sequence[Family | MapFamily], maps: Sequence[str], n_classes: int
) -> Iterator[tuple[Family | MapFamily, str, list[str]]]:
    """Families, and the map that each is taken of ("" = of none), in the order of the columns, with their names.

    Args:
        families, maps, n_classes: as for :func:`column_names`.
    """
    for of_maps, group in groupby(families, lambda family: isinstance(family, MapFamily)):
        rows = list(group)
        for prefix in maps if of_maps else ("",):
            for family in rows:
                yield family, prefix, _names(family, prefix, n_classes)


def column_values(families: Sequence[Family | MapFamily], seen: Measured) -> np.ndarray:
    """(n, m) float64, the columns that :func:`column_names` names.

    Raises:
        FeatureError: a family gives other columns than its row names.
    """
    columns: list[np.ndarray] = []
    moments = cache(seen.moments)
    for family, prefix, names in column_groups(families, tuple(seen.maps), seen.n_classes):
        found = family.values(seen) if isinstance(family, Family) else family.values(seen, moments(prefix))
        columns += _checked(family, found, len(names), len(seen.size))
    return np.stack(columns, axis=1)


def _names(family: Family | MapFamily, prefix: str, n_classes: int) -> list[str]:
    names: list[str] = []
    for column in family.columns:
        classes = range(n_classes) if "{c}" in column else (0,)
        names += [column.format(h=prefix, c=c) for c in classes]
    return names


def _checked(family: Family | MapFamily, found: Columns, columns: int, segments: int) -> list[np.ndarray]:
    several = [found] if isinstance(found, np.ndarray) and found.ndim == 1 else list(found)
    shapes = [np.shape(column) for column in several]
    if shapes != [(segments,)] * columns:
        raise FeatureError(
            f"the metrics {family.name!r} of {segments} segments have the shapes {shapes}; expected {columns} times "
            f"({segments},), one for each column its row names"
        )
    return several
