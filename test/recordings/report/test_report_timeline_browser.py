"""The time line in a real browser."""

import pytest
from report_browser import Page, assert_shown, mark_at
from report_drives import drive

from trust_seg_ros.recordings.report.page import write_report

pytestmark = pytest.mark.browser


def click_frame(page: Page, column: str, row: int) -> None:
    """Click where the time line draws a frame's value."""
    where = page.js(
        """
        const plot = document.getElementById("timeline-plot");
        const [column, row] = arguments;
        const place = drawn.findIndex((line) => column in line.columns);
        const line = drawn[place], x = plot._fullLayout.xaxis, y = plot._fullLayout[`yaxis${place + 2}`];
        const down = y._offset + y.d2p(frames.columns[column][row] * (line.scale || 1));
        window.scrollBy(0, plot.getBoundingClientRect().top + down - 600);  // clear of the viewer
        const box = plot.getBoundingClientRect();
        return [box.left + x._offset + x.d2p(frames.time[row]), box.top + down];
        """,
        column,
        row,
    )
    page.click_at(*where)


@pytest.mark.parametrize(("row", "pictured"), [(16, 16), (19, 17), (34, 32), (35, 33)])
def test_a_click_on_the_time_line_shows_the_nearest_frame_of_that_camera(page, seen, row, pictured):
    # every fourth frame of each of two cameras has a picture: rows 0, 1, 8, 9, 16, 17, …
    click_frame(page, "flagged_pixels", row)
    picture = next(p for p in seen.pictures if p.recorded_ns == seen.frames["recorded_ns"][pictured])
    assert_shown(page, picture)
    assert mark_at(page) == pytest.approx(pictured * 0.1)
    away = f"the nearest picture, {(row - pictured) * 0.1:.2f} s before the moment chosen"
    assert page.shown()["distance"] == (away if row != pictured else "")


def test_zoom_brings_back_what_thinning_left_out(browser, tmp_path):
    long = drive(10_000, pictures=drive(4).pictures, worst=drive(4).worst)
    write_report(tmp_path / "long.html", long)
    page = browser.open(tmp_path / "long.html")
    points = "return document.getElementById('timeline-plot').data.find(t => t.yaxis === 'y2')"
    whole = page.js(f"const t = ({points[7:]}); return [t.x.length, Math.max(...t.y), Math.min(...t.y)]")
    shares = 100 * long.frames["flagged_pixels"]
    assert whole[0] < 4000
    assert whole[1:] == pytest.approx([shares.max(), shares.min()], rel=1e-3)
    page.js("return Plotly.relayout('timeline-plot', {'xaxis.range': [400, 420]}).then(() => 0)")
    page.settle()
    times = page.js(f"const t = ({points[7:]}); return t.x.filter(x => x >= 400 && x <= 420)")
    assert times == pytest.approx([400 + 0.1 * k for k in range(201)])
    assert page.complaints() == []


def test_dragging_zooms_and_a_double_click_shows_the_whole_drive_again(page):
    from selenium.webdriver import ActionChains

    def window() -> list[float]:
        return page.js("return document.getElementById('timeline-plot')._fullLayout.xaxis.range.map(Number)")

    def place(seconds: float, slider: bool) -> tuple[int, int]:
        script = """
            const plot = document.getElementById("timeline-plot");
            window.scrollBy(0, plot.getBoundingClientRect().bottom - innerHeight + 10);
            const box = plot.getBoundingClientRect(), x = plot._fullLayout.xaxis;
            const strip = plot.querySelector(".rangeslider-bg").getBoundingClientRect();
            const drawn = plot._fullLayout.yaxis4;
            return [box.left + x._offset + x.d2p(arguments[0]),
                    arguments[1] ? strip.top + strip.height / 2 : box.top + drawn._offset + drawn._length / 2];
        """
        return tuple(round(v) for v in page.js(script, seconds, slider))

    def drag(start: tuple[int, int], end: tuple[int, int]) -> None:
        from selenium.webdriver.common.actions.action_builder import ActionBuilder

        action = ActionBuilder(page.driver)
        pointer = action.pointer_action
        pointer.move_to_location(*start).pointer_down()
        for share in (0.3, 0.6, 1.0):
            pointer.move_to_location(*(round(a + share * (b - a)) for a, b in zip(start, end, strict=True)))
        pointer.pointer_up()
        action.perform()
        page.settle()

    whole = window()
    drag(place(2.0, False), place(4.0, False))
    assert window() == pytest.approx([2.0, 4.0], abs=0.05)
    x, y = place(3.0, False)
    page.click_at(x, y)  # a click alone does not zoom
    assert window() == pytest.approx([2.0, 4.0], abs=0.05)
    ActionChains(page.driver).double_click().perform()
    page.settle()
    assert window() == pytest.approx(whole, abs=0.01)
    end = page.js(
        "return document.querySelector('#timeline-plot .rangeslider-grabarea-max').getBoundingClientRect().left"
    )
    drag((round(end) + 4, place(2.0, True)[1]), place(4.0, True))
    assert window() == pytest.approx([whole[0], 4.0], abs=0.2)
    assert page.complaints() == []
