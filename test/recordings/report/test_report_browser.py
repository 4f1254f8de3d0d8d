"""The page in a real browser, opened from disk."""

import pytest
from report_browser import assert_shown, jpeg_address, mark_at, of
from report_drives import NAMES, all_refused, drive, frame_columns, latencies, nothing, ood_object

from trust_seg_ros.recordings.report.page import write_report

pytestmark = pytest.mark.browser

CAMERAS = ("/front", "/rear")


def test_opens_with_the_worst_moment_without_a_complaint_or_a_connection(page, report, seen):
    assert_shown(page, of(seen, seen.worst[0]))
    assert page.complaints() == []
    assert page.requests() == [report.resolve().as_uri()]


@pytest.mark.parametrize("place", [2, 1, 0])
def test_a_worst_moment_shows_its_frame_and_moves_the_mark(page, seen, place):
    page.click(f"#worst li:nth-child({place + 1}) button")
    picture = of(seen, seen.worst[place])
    assert_shown(page, picture)
    seconds = (picture.recorded_ns - seen.start_ns) / 1e9
    assert mark_at(page) == pytest.approx(seconds)
    assert page.shown()["play"] == f"ros2 bag play drive_7 --start-offset {seconds:.3f}"
    pressed = page.all('#worst [aria-pressed="true"]')
    assert len(pressed) == 1
    assert pressed[0].find_element("css selector", "img").get_attribute("src") == jpeg_address(picture.overlay)


def test_arrow_keys_and_buttons_step_through_the_pictures(page, seen):
    right, left = "\ue014", "\ue012"
    page.js("show(4)")
    page.keys(right)
    assert_shown(page, seen.pictures[5])
    page.keys(right + right + left)
    assert_shown(page, seen.pictures[6])
    page.find("#previous").click()
    assert_shown(page, seen.pictures[5])
    page.js("show(0)")
    page.keys(left)
    assert_shown(page, seen.pictures[0])
    assert not page.find("#previous").is_enabled()
    page.js("show(arguments[0])", len(seen.pictures) - 1)
    page.keys(right)
    assert_shown(page, seen.pictures[-1])
    assert not page.find("#next").is_enabled()


def test_the_camera_selector_filters_everything(page, seen):
    def lines() -> set[int]:
        script = "return document.getElementById('timeline-plot').data.filter(t => t.meta).map(t => t.meta.camera)"
        return set(page.js(script))

    assert lines() == {0, 1}
    options = {option.text: option for option in page.all("#camera option")}
    assert list(options) == ["all", *CAMERAS]
    page.js("show(0)")
    options["/rear"].click()
    assert lines() == {1}
    assert page.shown()["shown-camera"] == "/rear"
    assert page.shown()["place"] == "1 of 10"
    page.keys("\ue007")
    visible = [card.get_attribute("data-camera") for card in page.all("#worst li") if card.is_displayed()]
    assert visible == [camera for camera, _ in seen.worst if camera == "/rear"]
    assert not any(card.is_displayed() for card in page.all("#objects li"))
    assert page.find("#objects + .empty").is_displayed()
    rear = page.js("return [...document.querySelectorAll('#class-table td:nth-child(4)')].map(c => c.textContent)")
    options["all"].click()
    both = page.js("return [...document.querySelectorAll('#class-table td:nth-child(4)')].map(c => c.textContent)")
    assert len(rear) == len(both) == 3
    assert rear != both
    assert lines() == {0, 1}


def test_the_class_table_sorts_by_any_column(page):
    def column(n: int) -> list[str]:
        return page.js(
            f"return [...document.querySelectorAll('#class-table tbody tr')].map(r => r.cells[{n}].textContent)"
        )

    assert column(0) == ["road", "sky", "car"]  # most pixels first
    page.click('[data-sort="name"]')
    assert column(0) == ["car", "road", "sky"]
    page.click('[data-sort="name"]')
    assert column(0) == ["sky", "road", "car"]
    page.click('[data-sort="entropy"]')
    falling = [float(value) for value in column(3)]
    assert falling == sorted(falling, reverse=True)
    page.click('[data-sort="entropy"]')
    assert [float(value) for value in column(3)] == sorted(falling)
    assert page.find('th[aria-sort="ascending"]').text.startswith("Mean entropy")
    assert "train" in page.find("#classes-text").text
    drawn = page.js("return document.getElementById('class-plot').data[0].x")
    assert drawn == pytest.approx(sorted(falling), abs=1e-3)


def test_an_object_shows_the_nearest_frame_of_its_camera(page, seen):
    page.click("#objects li:nth-child(1) button")
    assert page.shown()["shown-camera"] == seen.objects[0].camera
    assert len(page.all("#objects li")) == 1


def test_objects_can_be_ordered(browser, tmp_path):
    apart = [ood_object(k * 0.1, (10 * k, 0, 10 * k + 5, 5), p_ood=p) for k, p in enumerate((0.3, 0.9, 0.6))]
    write_report(tmp_path / "objects.html", drive(40, objects=apart, objects_total=3))
    page = browser.open(tmp_path / "objects.html")

    def firsts() -> list[str]:
        return page.js("return [...document.querySelectorAll('#objects li')].map(c => c.dataset.first)")

    assert firsts() == ["0.000", "0.100", "0.200"]
    next(option for option in page.all("#object-order option") if "P(OoD)" in option.text).click()
    assert firsts() == ["0.100", "0.200", "0.000"]


@pytest.mark.parametrize("width", [1200, 400])
@pytest.mark.parametrize("dark", [False, True])
def test_nothing_is_wider_than_the_window_in_light_and_dark(browser, report, width, dark):
    browser.size(width)
    browser.dark(dark)
    page = browser.open(report)
    page.settle()
    assert page.js("return document.documentElement.scrollWidth") <= width
    red = int(page.js("return getComputedStyle(document.body).backgroundColor.match(/\\d+/)[0]"))
    assert red < 60 if dark else red > 200
    assert page.complaints() == []
    browser.dark(False)


@pytest.mark.parametrize(
    ("made", "said"),
    [
        (nothing, "There are no frames in this drive."),
        (all_refused, "No worst moments"),
        (lambda: drive(1), "1 of 1"),
        (lambda: drive(40, objects=[], objects_total=0), "No OoD segments in this drive."),
        (lambda: drive(40, pictures=[], worst=[]), "There are no pictures of this drive."),
        (lambda: drive(40, shift="no calibration of entropy"), "no calibration of entropy"),
    ],
)
def test_drives_that_lack_something_say_so(browser, tmp_path, made, said):
    write_report(tmp_path / "less.html", made())
    page = browser.open(tmp_path / "less.html")
    assert said in page.find("body").text
    assert page.complaints() == []


HOSTILE = "</script><img src=x onerror=alert(1)><b>&amp;</b>"


@pytest.mark.slow
def test_texts_of_a_recording_stay_texts(browser, tmp_path):
    camera = f"/c{HOSTILE}"
    columns = frame_columns(40, (camera, "/rear"))
    columns["refused"][3] = HOSTILE
    names = (HOSTILE, *NAMES[1:])
    hostile = drive(
        40,
        (camera, "/rear"),
        frames=columns,
        title=HOSTILE,
        class_names=names,
        notes=[HOSTILE],
        facts=((HOSTILE, HOSTILE),),
        pixel_score=HOSTILE,
        ood_score=HOSTILE,
        shift=HOSTILE,
        objects=[ood_object(0.0, (1, 2, 30, 40), camera, class_name=HOSTILE)],
        latency=[type(latencies()[0])(HOSTILE, *(getattr(latencies()[0], n) for n in ("offset_s", "latency_ms")))],
    )
    write_report(tmp_path / "hostile.html", hostile)
    page = browser.open(tmp_path / "hostile.html")
    assert page.js("return [...document.images].filter(i => i.getAttribute('src') === 'x').length") == 0
    assert page.js("return document.querySelectorAll('[onerror]').length") == 0
    assert page.find("h1").text == HOSTILE
    assert page.find(".notes li").text == HOSTILE
    assert page.find("#shown-camera").text in (camera, "/rear")
    assert HOSTILE in page.js("return document.querySelector('#class-table tbody').textContent")
    assert HOSTILE in page.js("return document.querySelector('#timeline-plot .legend').textContent")
    assert HOSTILE in page.js("return document.querySelector('#class-plot').textContent")
    assert page.complaints() == []
