"""What runs the examples of docs/extending.md does what it says."""

import guide
import pytest

TEXT = '''"""Doc."""

from __future__ import annotations

ROWS: tuple[int, ...] = (
    1,
    2,
)
SHORT = (1, 2)
EMPTY: dict = {}
'''


@pytest.mark.parametrize(
    ("name", "rows", "value"),
    [("ROWS", "    3,\n", (1, 2, 3)), ("SHORT", "3, 4", (1, 2, 3, 4)), ("EMPTY", "1: 2", {1: 2})],
)
def test_rows_come_at_the_end(name, rows, value):
    found = {}
    exec(guide.with_rows(TEXT, name, rows), found)
    assert found[name] == value
    assert {n: found[n] for n in ("ROWS", "SHORT", "EMPTY") if n != name} == {
        n: v for n, v in (("ROWS", (1, 2)), ("SHORT", (1, 2)), ("EMPTY", {})) if n != name
    }


def test_a_name_that_is_not_there_is_missed():
    with pytest.raises(AssertionError, match="no OTHER is defined"):
        guide.with_rows(TEXT, "OTHER", "3")


def test_a_process_sees_changed_and_new_modules(monkeypatch, tmp_path):
    page = tmp_path / "page.md"
    page.write_text(
        "# Title\n\n## Add it\n\n"
        "```python\n# trust_seg_ros/brand_new.py\nVALUE = 5\n```\n\n"
        "```python\n# trust_seg_ros/version.py, imports\nfrom trust_seg_ros.brand_new import VALUE\n```\n\n"
        "```python\nprint('only shown')\n```\n"
    )
    monkeypatch.setattr(guide, "GUIDE", page)
    code = "from trust_seg_ros import version; print(version.VALUE, version.__file__)"
    done = guide.run_extended("Add it", code, tmp_path)
    assert done.stdout.split() == ["5", str(guide.ROOT / "trust_seg_ros" / "version.py")], done.stderr
    assert not (guide.ROOT / "trust_seg_ros" / "brand_new.py").exists()
