"""Policies judged when none are named; apart, so that --help need not load what policies need."""

DEFAULTS = (
    "fixed:0.6",
    "quantile:0.95",
    "quantile:0.8",
    "mean_std:2",
    "mean_std:1",
    "otsu",
    "target_recall:0.95",
    "conformal:0.1",
    "conformal:0.05",
)
"""The node's own defaults, and for each policy that has one a parameter that flags more, or less."""
