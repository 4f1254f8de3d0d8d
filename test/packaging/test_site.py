"""The documentation builds into a site without a warning, fetches nothing from elsewhere, and can be searched."""

import functools
import http.server
import os
import re
import subprocess
import sys
import threading

import pytest
from helpers.report_browser import Page, start
from places import ROOT

OWN = re.compile(r"""(?:src|href)=["']?(https?:[^"' >]+)""")


@pytest.fixture(scope="module")
def site(tmp_path_factory):
    out = tmp_path_factory.mktemp("site")
    words = [sys.executable, "-m", "mkdocs", "build", "--site-dir", str(out)]
    quiet = {**os.environ, "NO_MKDOCS_2_WARNING": "1"}
    done = subprocess.run(words, cwd=ROOT, env=quiet, capture_output=True, text=True, timeout=600)
    assert done.returncode == 0, done.stderr[-4000:]
    assert "WARNING" not in done.stderr, done.stderr[-4000:]
    return out


@pytest.mark.slow
def test_every_guide_and_every_part_of_the_library_has_a_page(site):
    for guide in (ROOT / "docs").glob("*.md"):
        assert (site / guide.name).with_suffix(".html").is_file()
    reference = (site / "api" / "trust_seg_ros.pipeline.html").read_text("utf-8")
    assert "TrustPipeline" in reference
    assert "Raises" in reference


@pytest.mark.slow
def test_links_to_files_of_the_repository_are_kept(site):
    assert (site / "repository" / "config" / "trust_seg.rviz").is_file()
    page = (site / "vehicle.html").read_text("utf-8")
    assert 'href="repository/config/trust_seg.rviz"' in page


@pytest.mark.slow
def test_no_page_fetches_anything_from_elsewhere(site):
    for page in ("index.html", "api/trust_seg_ros.pipeline.html"):
        text = (site / page).read_text("utf-8")
        fetched = [tag for tag in re.findall(r"<(?:script|link|img)[^>]*>", text) if OWN.search(tag)]
        assert fetched == []


@pytest.mark.slow
@pytest.mark.browser
def test_the_site_can_be_searched(site, tmp_path):
    from selenium.webdriver.support.ui import WebDriverWait

    handler = functools.partial(http.server.SimpleHTTPRequestHandler, directory=str(site))
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    page = Page(start(tmp_path))
    try:
        page.driver.get(f"http://127.0.0.1:{server.server_port}/index.html")
        field = page.find("input.md-search__input")
        page.js("document.querySelector('#__search').click()")
        WebDriverWait(page.driver, 60).until(lambda _: field.is_displayed())
        field.send_keys("conformal")
        WebDriverWait(page.driver, 60).until(lambda _: page.all(".md-search-result__link"))
        found = [link.get_attribute("href") for link in page.all(".md-search-result__link")]
        assert any("thresholds" in address for address in found), found
        own = ("http://127.0.0.1", "chrome://")  # the browser's own first page is among the requests
        asked = [address for address in page.requests() if not address.startswith(own)]
        assert asked == []
    finally:
        page.driver.quit()
        server.shutdown()
