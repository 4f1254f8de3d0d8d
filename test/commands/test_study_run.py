"""What the three studies have in common as commands: a folder is written, its main tables are printed."""

import argparse

import pytest
from rich.console import Console

from trust_seg_ros.commands.out_paths import check_out_file, check_out_folder
from trust_seg_ros.commands.study_run import finish
from trust_seg_ros.errors import TrustSegError
from trust_seg_ros.evaluation.report.report import Contents, Section, versions
from trust_seg_ros.evaluation.report.tabular import IN_REPORT, Column, Table


def table(name, **place):
    return Table(name, name.title(), (Column("row", "text"), Column("share, %")), (("one", 0.25),), **place)


@pytest.fixture
def contents():
    return Contents("A study", (Section("Tables", "", (table("main"), table("more", place=IN_REPORT))),), ("found",))


def finished(tmp_path, contents, **options):
    console = Console(width=100, record=True)
    args = argparse.Namespace(out=tmp_path / "out", words=["study", "a file", "--out", "out"])
    finish(args, console, contents, {"network": "net"}, ("given",), **options)
    return console.export_text(), (tmp_path / "out" / "report.md").read_text()


def test_the_head_says_how_the_numbers_came_to_be(tmp_path, contents):
    _, page = finished(tmp_path, contents)
    head = page.partition("## Tables")[0]
    assert head == (
        f"# A study\n\n```\ntrust-seg study 'a file' --out out\n```\n\n- network: net\n- versions: {versions()}\n"
        "- **given**\n- **found**\n\n"
    )


def test_main_tables_notes_and_place_are_printed_and_the_rest_is_in_the_folder(tmp_path, contents):
    said, page = finished(tmp_path, contents)
    assert "Main" in said
    assert "More" not in said
    assert "### More" in page
    assert said.splitlines()[-3:-1] == ["note: given", "note: found"]
    assert said.endswith(f"wrote {tmp_path / 'out' / 'report.md'} and 2 tables and figures beside it\n")
    assert sorted(p.name for p in (tmp_path / "out").iterdir()) == ["main.csv", "more.csv", "report.md"]


def test_lines_above_sections_and_something_below_the_notes(tmp_path, contents):
    said, _ = finished(tmp_path, contents, rules=True, below="left out: none")
    assert said.startswith("Tables ─")
    assert said.splitlines()[-3:-1] == ["note: found", "left out: none"]


@pytest.mark.parametrize("name", ["file", "file/below", "link"])
def test_a_folder_that_cannot_be_made_is_refused_before_the_work(tmp_path, name):
    (tmp_path / "file").write_text("")
    (tmp_path / "link").symlink_to(tmp_path / "gone")
    with pytest.raises(
        TrustSegError, match=rf"--out {tmp_path / name} (is a file|cannot be written).*expected a folder"
    ):
        check_out_folder(tmp_path / name, TrustSegError)


def test_checking_a_folder_leaves_nothing_behind(tmp_path):
    check_out_folder(tmp_path / "new" / "folder", TrustSegError)
    assert list(tmp_path.iterdir()) == []


def test_a_file_in_a_folder_that_is_there(tmp_path):
    check_out_file(tmp_path / "new.json", "x.json", TrustSegError)
    with pytest.raises(TrustSegError, match=rf"is a folder; expected a file, for example {tmp_path / 'x.json'}"):
        check_out_file(tmp_path, "x.json", TrustSegError)
    with pytest.raises(TrustSegError, match=f"there is no folder {tmp_path / 'gone'}; make it first"):
        check_out_file(tmp_path / "gone" / "a.json", "x.json", TrustSegError)
