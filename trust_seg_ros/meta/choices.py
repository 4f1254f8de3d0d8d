"""What users choose of segment metrics, and the words that explain it; light, so that ``--help`` answers at once."""

CLASS_INPUTS = ("probabilities", "one-hot", "both", "none")
FEATURES_HELP = (
    "segment metrics to use: feature sets (metaseg; meta_ood; all: here the same as meta_ood), metrics and patterns "
    "like E* or cprob_*, separated by commas; a leading - takes out: meta_ood,-*_var"
)
CLASS_INPUT_HELP = (
    "how the predicted class enters: as mean class probabilities (cprob_*, as in the paper), one-hot (class_*), "
    "both, or none"
)
