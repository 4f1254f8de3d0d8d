"""The page as a file: bytes, escaping, and nothing that asks a network."""

import html.parser
import json
import sys

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from report_drives import all_refused, drive, latencies, nothing

from trust_seg_ros.recordings.report import formats, page
from trust_seg_ros.recordings.report.errors import ReportError

HOSTILE = "</script><img src=x onerror=alert(1)>\u2028\"'&$title"
LOADING = {"src", "href", "srcset", "data", "action", "formaction", "poster", "background", "manifest", "ping"}


class Elements(html.parser.HTMLParser):
    """Names and attributes of all elements, and the text of each script."""

    def __init__(self, text: str):
        super().__init__()
        self.elements: list[tuple[str, dict[str, str]]] = []
        self.scripts: list[str] = []
        self.feed(text)

    def handle_starttag(self, tag, attrs):
        self.elements.append((tag, dict(attrs)))
        if tag == "script":
            self.scripts.append("")

    def handle_data(self, data):
        if self.elements and self.elements[-1][0] == "script" and self.scripts:
            self.scripts[-1] += data


@pytest.fixture(scope="module", autouse=True)
def _needs_plotly():
    pytest.importorskip("plotly", reason="plotly is not installed")


@pytest.mark.parametrize("made", [drive, nothing, all_refused, lambda: drive(40, ("/a", "/b"), latency=latencies())])
def test_no_element_asks_for_anything_outside_the_page(made):
    for tag, attributes in Elements(page.report_html(made())).elements:
        assert tag not in {"link", "iframe", "object", "embed", "base"}
        for name in LOADING & attributes.keys():
            assert attributes[name].startswith(("data:image/jpeg;base64,", "#")), (tag, name)
        assert not [name for name in attributes if name.startswith("on")], tag


def test_equal_drives_make_equal_bytes_and_nothing_else_is_left(tmp_path):
    for name in ("a.html", "b.html"):
        page.write_report(tmp_path / name, drive(40))
    assert (tmp_path / "a.html").read_bytes() == (tmp_path / "b.html").read_bytes()
    assert sorted(p.name for p in tmp_path.iterdir()) == ["a.html", "b.html"]


def test_an_old_report_stays_whole_when_a_new_one_cannot_be_written(tmp_path):
    with pytest.raises(ReportError, match=r"absent.*report\.html.*folder"):
        page.write_report(tmp_path / "absent" / "report.html", drive(4))


def test_without_plotly_the_way_out_is_named(monkeypatch):
    page._plotly.cache_clear()
    monkeypatch.setitem(sys.modules, "plotly.offline", None)
    with pytest.raises(ReportError, match=r'pip install "plotly>=5\.9"'):
        page.report_html(drive(1))
    page._plotly.cache_clear()


def test_texts_of_a_recording_cannot_leave_their_place():
    seen = drive(
        4,
        title=HOSTILE,
        notes=[HOSTILE],
        facts=((HOSTILE, HOSTILE),),
        shift=HOSTILE,
        pixel_score=HOSTILE,
        ood_score=HOSTILE,
    )
    text = page.report_html(seen)
    plain = page.report_html(drive(4))
    assert "onerror=alert(1)>" not in text
    assert "<img src=x" not in text
    assert text.count("</script>") == plain.count("</script>")
    data = json.loads(next(s for s in Elements(text).scripts if s.startswith('{"cameras"')))
    assert data["pixelScore"] == HOSTILE


@given(
    st.recursive(
        st.text() | st.integers() | st.none(), lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner)
    )
)
def test_json_in_the_page_says_the_same_and_holds_nothing_that_html_reads(value):
    text = formats.json_text(value)
    assert json.loads(text) == value
    assert not set("<>&\u2028\u2029") & set(text)


def test_a_number_that_json_does_not_know_is_refused():
    with pytest.raises(ValueError, match="not JSON compliant"):
        formats.json_text([float("nan")])
    assert formats.rounded([np.nan, np.inf, 0.123456, 7.0]) == [None, None, 0.1235, 7]


@pytest.mark.parametrize(
    ("said", "expected"),
    [
        (formats.offset(83.4), "83.40 s (1:23)"),
        (formats.offset(3.0), "3.00 s"),
        (formats.length(3725.0), "1:02:05 h"),
        (formats.length(245.0), "4:05 min"),
        (formats.start_offset(12.3456), "12.345"),
        (formats.start_offset(0.1 * 3), "0.300"),
        (formats.start_offset(-0.2), "0.000"),
        (formats.stamp(1_700_000_000_000_000_005), "1700000000.000000005"),
        (formats.stamp(0), "not stamped"),
        (formats.utc(1_700_000_000_123_000_000), "2023-11-14 22:13:20.123 UTC"),
        (formats.utc(0), ""),
        (formats.utc(1_000_000_000), ""),
        (formats.percent(0.1234), "12.3 %"),
        (formats.percent(float("nan")), "–"),
        (formats.number(12345.6), "12,346"),
        (formats.number(float("inf")), "infinite"),
        (formats.whole(12345), "12,345"),
        (formats.colour([0, 128, 255]), "#0080ff"),
    ],
)
def test_numbers_and_times_as_they_are_shown(said, expected):
    assert said == expected


def test_scripts_cannot_end_their_element():
    assert page.as_script("a</script>b<!--c") == "a<\\/script>b<\\!--c"
