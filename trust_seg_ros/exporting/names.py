"""Names of what ``trust-seg export`` can write; nothing is loaded for them."""

TARGET_NAMES = {"onnx": ".onnx", "openvino": ".xml", "engine": ".engine"}
"""Kind of file -> end of its name; ``targets.TARGETS`` has a row for each."""
LOGITS, TRUST = "logits", "trust"
HEADS = (LOGITS, TRUST)
"""What a graph gives: logits, or finished maps; the first one is the default."""
DEFAULT_MAPS = ("class", "entropy", "margin", "variation_ratio")


def suffix_of(target: str) -> str:
    """End of the name of a kind of file."""
    return TARGET_NAMES[target]
