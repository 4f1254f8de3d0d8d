"""Which metrics a segment gets: feature sets by name. The rows of ``families`` say what each metric means."""

from __future__ import annotations

from dataclasses import dataclass, replace

from trust_seg_ros.segments.errors import FeatureError
from trust_seg_ros.segments.families import FAMILIES, QUERY, column_names, families_of
from trust_seg_ros.support.nearest import unknown

MAP_FIELDS = {"E": "entropy", "D": "margin", "V": "variation_ratio"}
"""Prefix of columns -> field of ``UncertaintyMaps``."""
NESTED_MAPS = {"metaseg": ("E", "D"), "meta_ood": ("E", "D", "V"), "all": ("E", "D", "V")}
"""Name of a feature set -> maps that are aggregated; each of these sets holds those before it."""
SCALE_FREE = "meta_scale_free"
"""The set beside the nested ones, part of ``all``: nothing in it counts pixels."""


@dataclass(frozen=True)
class FeatureSet:
    """What is computed for every segment (Rottmann et al., MetaSeg; Chan et al. 2021 for the extended set).

    Attributes:
        maps: prefixes of the per-pixel maps that are aggregated.
        families: names of the families of metrics (rows of ``families.FAMILIES``); their order does not matter.
        extra: also aggregate every further map that the caller passes.

    Raises:
        FeatureError: no family of that name.
    """

    maps: tuple[str, ...] = ("E", "D")
    families: tuple[str, ...] = ("size", "mean", "relative_mean", "cprob")
    extra: bool = False

    def __post_init__(self) -> None:
        known = [family.name for family in FAMILIES]
        for name in self.families:
            if name not in known:
                raise FeatureError(unknown("family of segment metrics", name, known))

    def names(self, n_classes: int) -> tuple[str, ...]:
        """Column names in order, for a network of ``n_classes`` classes."""
        return column_names(families_of(self.families), self.maps, n_classes)

    def with_maps(self, names: tuple[str, ...]) -> FeatureSet:
        """The same set, aggregating further maps of these names as well."""
        return replace(self, maps=self.maps + tuple(n for n in names if n not in self.maps))

    def with_queries(self) -> FeatureSet:
        """The same set with the metrics of segments that are those of queries."""
        return replace(self, families=(*self.families, *[QUERY] * (QUERY not in self.families)))


def _nested(name: str) -> FeatureSet:
    held = list(NESTED_MAPS)[: list(NESTED_MAPS).index(name) + 1]
    return FeatureSet(NESTED_MAPS[name], tuple(f.name for f in FAMILIES if f.least in held), extra=name == "all")


FEATURE_SETS = {
    "metaseg": _nested("metaseg"),
    "meta_ood": _nested("meta_ood"),
    SCALE_FREE: FeatureSet(("E", "D", "V"), tuple(family.name for family in FAMILIES if family.scale_free)),
    "all": _nested("all"),
}
"""``metaseg``: 15 + q columns (MetaSeg). ``meta_ood``: 37 + 2q (Chan et al. 2021; 75 for q = 19).
``meta_scale_free``: 24 + 2q, the same on an image of any size up to rounding. ``all``: every family, and every further
map as well."""


def feature_set(features: str | FeatureSet) -> FeatureSet:
    """Look a feature set up by name; a ``FeatureSet`` is passed through.

    Raises:
        FeatureError: the name is not known.
    """
    if isinstance(features, FeatureSet):
        return features
    if features not in FEATURE_SETS:
        raise FeatureError(f"{unknown('feature set', features, FEATURE_SETS)}. A FeatureSet may be passed, too")
    return FEATURE_SETS[features]
