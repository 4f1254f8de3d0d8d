"""Choices of segment metrics for users, and their help texts; imports little, so that ``--help`` answers at once."""

CLASS_INPUTS = ("probabilities", "one-hot", "both", "none")
FEATURES_HELP = (
    "segment metrics to use: feature sets (metaseg; meta_ood; meta_scale_free: none that counts pixels; all: every "
    "metric of the table), metrics and patterns like E* or cprob_*, separated by commas; a leading - "
    "removes: meta_ood,-*_var"
)
SEGMENT_SCORES_HELP = (
    "pixel scores whose means over a segment, its interior and its boundary become metrics, too: energy gives energy, "
    "energy_in, ...; a meta model uses them where --features names them, e.g. metaseg,energy*"
)
CLASS_INPUT_HELP = (
    "how the predicted class enters: as mean class probabilities (cprob_*, as in the paper), one-hot (class_*), "
    "both, or none"
)
