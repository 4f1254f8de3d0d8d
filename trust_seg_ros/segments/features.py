"""Which metrics a segment gets: feature sets by name, and the names of their columns.

Column names, for a per-pixel map called ``h`` (E entropy, D margin, V variation ratio, or any further map):

==================  ==================================================================================
``S``               pixels of the segment; ``S_in`` of its interior, ``S_bd`` of its boundary
``S_rel``           S / S_bd; ``S_in_rel`` = S_in / S_bd
``h``               mean over the segment; ``h_in`` over the interior, ``h_bd`` over the boundary
``h_rel``           h * S_rel; ``h_in_rel`` = h_in * S_in_rel
``…_var``           variance over the same pixels: ``h_var``, ``h_in_var``, ``h_bd_var``; relative forms
                    ``h_rel_var`` = h_var * S_rel and ``h_in_rel_var`` = h_in_var * S_in_rel
``row``, ``column``  centroid, pixels
``cprob_c``         mean probability of class c over the segment
``ndist_c``         share of (pixel, 8-neighbour outside the segment) pairs whose neighbour has class c
==================  ==================================================================================
"""

from __future__ import annotations

from dataclasses import dataclass, replace

from trust_seg_ros.segments.errors import FeatureError

_PARTS = ("", "_in", "_bd", "_rel", "_in_rel")

MAP_FIELDS = {"E": "entropy", "D": "margin", "V": "variation_ratio"}
"""Column prefix -> field of ``UncertaintyMaps``."""


@dataclass(frozen=True)
class FeatureSet:
    """What is computed for every segment (Rottmann et al., MetaSeg; Chan et al. 2021 for the extended set).

    Attributes:
        maps: prefixes of the per-pixel maps that are aggregated; each gives five columns.
        variances: also the variance of each of the five.
        centroid: mean row and mean column.
        cprob: mean class probabilities, one column per class; needs logits or a softmax.
        ndist: distribution of the classes next to the segment, one column per class.
        extra: also aggregate every further map the caller hands over.
    """

    maps: tuple[str, ...] = ("E", "D")
    variances: bool = False
    centroid: bool = False
    cprob: bool = True
    ndist: bool = False
    extra: bool = False

    def names(self, n_classes: int) -> tuple[str, ...]:
        """Column names in order, for a network of ``n_classes`` classes."""
        names = [f"S{part}" for part in _PARTS]
        for prefix in self.maps:
            names += [f"{prefix}{part}" for part in _PARTS]
            if self.variances:
                names += [f"{prefix}{part}_var" for part in _PARTS]
        if self.centroid:
            names += ["row", "column"]
        for wanted, prefix in ((self.cprob, "cprob"), (self.ndist, "ndist")):
            if wanted:
                names += [f"{prefix}_{c}" for c in range(n_classes)]
        return tuple(names)

    def with_maps(self, names: tuple[str, ...]) -> FeatureSet:
        """The same set, aggregating further maps of these names as well."""
        return replace(self, maps=self.maps + tuple(n for n in names if n not in self.maps))


_EXTENDED = FeatureSet(maps=("E", "D", "V"), variances=True, centroid=True, ndist=True)

FEATURE_SETS = {"metaseg": FeatureSet(), "meta_ood": _EXTENDED, "all": replace(_EXTENDED, extra=True)}
"""``metaseg``: 15 + q columns (MetaSeg). ``meta_ood``: 37 + 2q (Chan et al. 2021; 75 for q = 19).
``all``: ``meta_ood`` and the same ten columns of every further map."""


def feature_set(features: str | FeatureSet) -> FeatureSet:
    """Look a feature set up by name; a ``FeatureSet`` is passed through.

    Raises:
        FeatureError: the name is not known.
    """
    if isinstance(features, FeatureSet):
        return features
    try:
        return FEATURE_SETS[features]
    except KeyError:
        known = ", ".join(FEATURE_SETS)
        raise FeatureError(f"no feature set {features!r}; choose one of: {known}, or pass a FeatureSet") from None
