"""Tables of the families and sets of segment metrics, for docs/methods/segments.md."""

from __future__ import annotations

from trust_seg_ros.segments.families import FAMILIES, Family, MapFamily
from trust_seg_ros.segments.features import FEATURE_SETS, SCALE_FREE, feature_set


def metric_table() -> str:
    """Columns of every family, their meaning, and the smallest sets that hold them."""
    rows = ["| columns | meaning | from the set |", "|---|---|---|"]
    for family in FAMILIES:
        names = ", ".join(f"`{column.format(h='h', c='c')}`" for column in family.columns)
        rows.append(f"| {names} | {family.text} | {_sets(family)} |")
    return "\n".join(rows) + "\n"


def _sets(family: Family | MapFamily) -> str:
    nested = [] if not family.least or (family.scale_free and family.least == "all") else [family.least]
    return ", ".join(f"`{name}`" for name in (*nested, *[SCALE_FREE] * family.scale_free))


def set_table() -> str:
    """The feature sets: maps, families, and the number of columns for q classes."""
    rows = ["| feature set | maps | families | columns |", "|---|---|---|---|"]
    for name in FEATURE_SETS:
        chosen = feature_set(name)
        maps = ", ".join(chosen.maps) + (", and every further one" if chosen.extra else "")
        rows.append(f"| `{name}` | {maps} | {', '.join(chosen.families)} | {_count(name)} |")
    return "\n".join(rows) + "\n"


def _count(name: str) -> str:
    one, two = (len(feature_set(name).names(q)) for q in (1, 2))
    per_class = two - one
    return f"{one - per_class} + {per_class if per_class > 1 else ''}q"
