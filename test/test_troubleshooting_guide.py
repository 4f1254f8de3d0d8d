"""The troubleshooting guide quotes messages that the package has, and names parameters and commands that there are."""

import re

import pytest
from places import ROOT

from trust_seg_ros.node.parameters import BY_NAME

PAGE = (ROOT / "docs" / "troubleshooting.md").read_text("utf-8")
FOREIGN = {"numpy.core.multiarray failed to import", "No module named 'rclpy'"}
"""Messages of other programs."""
QUOTED = sorted({text.removesuffix(" …") for text in re.findall(r'(?<![=(\w])"([^"]{6,80})"', PAGE)} - FOREIGN)


@pytest.fixture(scope="module")
def sources():
    text = " ".join(path.read_text("utf-8") for path in (ROOT / "trust_seg_ros").rglob("*.py"))
    return re.sub(r'"\s+f?"', "", text)  # a sentence over several lines is one


@pytest.mark.parametrize("text", [text for text in QUOTED if not text.startswith(("numpy<", "import "))])
def test_quoted_messages_exist(text, sources):
    assert text in sources


def test_parameters_named_exist():
    named = set(re.findall(r"`([a-z_]+(?:\.[a-z_]+)+)[:`]", PAGE)) - {"torch.export"}
    assert len(named) >= 5
    assert named <= BY_NAME.keys()
