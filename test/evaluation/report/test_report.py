import tempfile

import pytest

from trust_seg_ros.evaluation.errors import EvaluationError
from trust_seg_ros.evaluation.report.report import Picture, Report, Section, versions, write
from trust_seg_ros.evaluation.report.tabular import IN_FILE, IN_REPORT, Column, Table


def _table(name, place=IN_REPORT):
    return Table(name, name.title(), (Column("x", "text"), Column("ρ", "number")), (("a", 0.5),), "A note.", place)


def _draw(path):
    path.write_bytes(b"png")
    return True


def _report(*sections):
    return Report("Title", "trust-seg evaluate 'my data'", (("network", "net"),), ("Beware.",), sections)


FULL = Section(
    "by_image",
    "How.",
    (_table("one"), _table("long", IN_FILE)),
    (Picture("curve", "A curve", _draw), Picture("none", "Nothing to draw", lambda path: False)),
    "by_image_",
)


def test_the_folder_holds_page_tables_and_figures(tmp_path):
    out = tmp_path / "deep" / "out"
    files = write(_report(FULL), out)
    assert files[0] == out / "report.md"
    assert {p.name for p in out.iterdir()} == {
        "report.md",
        "by_image_one.csv",
        "by_image_long.csv",
        "by_image_curve.png",
    }
    assert set(files) == set(out.iterdir())
    text = files[0].read_text()
    assert text.startswith("# Title\n\n```\ntrust-seg evaluate 'my data'\n```\n\n- network: net\n")
    assert f"- versions: {versions()}\n- **Beware.**\n" in text
    assert "| a | 0.500 |" in text
    assert "![A curve](by_image_curve.png)" in text
    assert "by_image_none" not in text
    assert [p.name for p in out.parent.iterdir()] == ["out"]


def test_the_same_report_has_the_same_bytes(tmp_path):
    for name in ("a", "b"):
        write(_report(FULL), tmp_path / name)
    for file in (tmp_path / "a").iterdir():
        assert file.read_bytes() == (tmp_path / "b" / file.name).read_bytes()


def test_files_of_an_earlier_report_go_and_others_stay(tmp_path):
    write(_report(FULL), tmp_path)
    (tmp_path / "mine.csv").write_text("mine")
    write(_report(Section("by_drive", "", (_table("one"),), (), "by_drive_")), tmp_path)
    assert {p.name for p in tmp_path.iterdir()} == {"report.md", "by_drive_one.csv", "mine.csv"}


def test_a_broken_run_leaves_the_earlier_report(tmp_path):
    out = tmp_path / "out"
    write(_report(FULL), out)
    before = {p.name: p.read_bytes() for p in out.iterdir()}

    def broken(path):
        path.write_bytes(b"half")
        raise RuntimeError("broken")

    with pytest.raises(RuntimeError, match="broken"):
        write(_report(Section("x", "", (_table("new"),), (Picture("p", "p", broken),))), out)
    assert {p.name: p.read_bytes() for p in out.iterdir()} == before
    assert [p.name for p in tmp_path.iterdir()] == ["out"]


def test_only_the_folder_itself_is_written_where_it_exists(tmp_path, monkeypatch):
    """It may be mounted: another file system than its parent, which may not be ours."""
    (tmp_path / "out").mkdir()
    places, make = [], tempfile.mkdtemp
    monkeypatch.setattr(tempfile, "mkdtemp", lambda *args: places.append(args[2]) or make(*args))
    write(_report(FULL), tmp_path / "out")
    assert places == [tmp_path / "out"]
    assert not list((tmp_path / "out").glob(".*"))


def test_a_file_in_the_place_of_the_folder_is_refused(tmp_path):
    (tmp_path / "out").write_text("a file")
    with pytest.raises(EvaluationError, match="the report cannot be written"):
        write(_report(FULL), tmp_path / "out")
    assert (tmp_path / "out").read_text() == "a file"


def test_versions_name_what_the_numbers_depend_on():
    for name in ("trust_seg_ros", "Python 3", "numpy", "scikit-learn", "torch"):
        assert name in versions()
