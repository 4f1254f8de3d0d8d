"""The examples of docs/synthetic_drive.md run as they stand there."""

import re

import pytest
from places import ROOT

BLOCKS = re.findall(
    r"^```python\n(.*?)^```", (ROOT / "docs" / "synthetic_drive.md").read_text("utf-8"), re.MULTILINE | re.DOTALL
)


@pytest.mark.parametrize("which", range(3))
def test_an_example_runs(which):
    found = {}
    exec(BLOCKS[which], found)
    assert len(BLOCKS) == 3
    if which == 2:
        assert found["speed"] == 0
        assert found["s"] < 80
