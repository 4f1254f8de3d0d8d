"""Tables of the documentation that are made from rows are those the rows make."""

import sys

import pytest
from places import ROOT

sys.path.insert(0, str(ROOT / "tools"))
import write_tables


@pytest.mark.parametrize(("page", "name", "table"), write_tables.TABLES, ids=lambda value: str(value)[:40])
def test_the_page_holds_what_the_rows_make(page, name, table):
    text = (ROOT / page).read_text("utf-8")
    assert write_tables.with_table(text, name, table(), write_tables.COMMAND) == text, f"run {write_tables.COMMAND}"


def test_a_page_without_its_marks_is_refused():
    with pytest.raises(ValueError, match="no marks <!-- topics"):
        write_tables.with_table("# Topics", "topics", "")
