"""The page in a real browser, opened from disk."""

from pathlib import Path

import pytest
from report_browser import Page, start
from report_drives import drive, latencies

from trust_seg_ros.recordings.report.page import write_report


@pytest.fixture(scope="session")
def browser(tmp_path_factory):
    pytest.importorskip("plotly", reason="plotly is not installed")
    driver = start(tmp_path_factory.mktemp("profile"))
    yield Page(driver)
    driver.quit()


@pytest.fixture(scope="session")
def seen(tmp_path_factory):
    return drive(80, ("/front", "/rear"), latency=latencies())


@pytest.fixture(scope="session")
def report(browser, seen, tmp_path_factory) -> Path:
    path = tmp_path_factory.mktemp("report") / "drive.html"
    write_report(path, seen)
    return path


@pytest.fixture
def page(browser, report) -> Page:
    browser.size(1200)
    return browser.open(report)
