"""A real browser that opens the report from disk, for tests; they skip where none is installed."""

from __future__ import annotations

import base64
import json
from pathlib import Path
from typing import Any

import pytest

CHROMIUM, CHROMEDRIVER = Path("/usr/bin/chromium"), Path("/usr/bin/chromedriver")
ARGUMENTS = (
    "--headless=new --no-sandbox --disable-gpu --disable-quic --no-first-run --disable-background-networking "
    "--disable-component-update --disable-sync"
)


class Page:
    """The page that the browser shows."""

    def __init__(self, driver: Any):
        self.driver = driver

    def open(self, path: Path) -> Page:
        """Open a file and wait until its scripts are through."""
        from selenium.webdriver.support.ui import WebDriverWait

        self.driver.get_log("browser")
        self.driver.get_log("performance")
        self.driver.get(path.resolve().as_uri())
        WebDriverWait(self.driver, 30).until(
            lambda _: self.js("return document.documentElement.dataset.ready === 'yes'")
        )
        return self

    def js(self, script: str, *arguments: object) -> Any:
        """Run a script in the page."""
        return self.driver.execute_script(script, *arguments)

    def find(self, css: str) -> Any:
        """The first element."""
        return self.driver.find_element("css selector", css)

    def all(self, css: str) -> list[Any]:
        """All elements."""
        return self.driver.find_elements("css selector", css)

    def click(self, css: str) -> None:
        """Click an element with the mouse, in the middle of the window, clear of the viewer."""
        element = self.find(css)
        self.js("arguments[0].scrollIntoView({block: 'center'})", element)
        element.click()

    def keys(self, keys: str) -> None:
        """Press keys."""
        from selenium.webdriver import ActionChains

        ActionChains(self.driver).send_keys(keys).perform()

    def click_at(self, x: float, y: float) -> None:
        """Move the mouse to a point of the window and click, as a hand does."""
        from selenium.webdriver import ActionChains
        from selenium.webdriver.common.actions.action_builder import ActionBuilder

        for dx in (-3, 0):
            action = ActionBuilder(self.driver)
            action.pointer_action.move_to_location(round(x + dx), round(y))
            action.perform()
        self.settle()
        ActionChains(self.driver).click().perform()
        self.settle()

    def settle(self) -> None:
        """Wait until the page has drawn twice, and longer than plotly waits for a double click."""
        self.driver.execute_async_script(
            "const done = arguments[0]; setTimeout(() => requestAnimationFrame(() => requestAnimationFrame(done)), 700)"
        )

    def size(self, width: int, height: int = 900) -> None:
        """Make the window so large."""
        numbers = {"width": width, "height": height, "deviceScaleFactor": 1, "mobile": False}
        self.driver.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", numbers)

    def dark(self, dark: bool) -> None:
        """What the reader's system prefers."""
        features = [{"name": "prefers-color-scheme", "value": "dark" if dark else "light"}]
        self.driver.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": features})

    def complaints(self) -> list[str]:
        """Messages of the console since the page was opened."""
        return [entry["message"] for entry in self.driver.get_log("browser")]

    def requests(self) -> list[str]:
        """Addresses asked for since the page was opened, those of data inside the page left out."""
        logs = [json.loads(entry["message"])["message"] for entry in self.driver.get_log("performance")]
        sent = [log["params"]["request"]["url"] for log in logs if log["method"] == "Network.requestWillBeSent"]
        return [url for url in sent if not url.startswith(("data:", "blob:"))]

    def shown(self) -> dict[str, str]:
        """What the viewer says of the frame shown."""
        names = ("stamp", "play", "place", "distance", "shown-camera")
        return {name: self.js(f"return document.getElementById('{name}').textContent") for name in names}

    def source(self, name: str) -> str:
        """Address of the picture shown."""
        return self.js(f"return document.getElementById('{name}').src")


def start(folder: Path) -> Any:
    """A browser with a profile of its own in ``folder``; skips the test where there is none."""
    webdriver = pytest.importorskip("selenium.webdriver", reason="selenium is not installed")
    for program in (CHROMIUM, CHROMEDRIVER):
        if not program.is_file():
            pytest.skip(f"{program} is not installed")
    options = webdriver.ChromeOptions()
    options.binary_location = str(CHROMIUM)
    for argument in (*ARGUMENTS.split(), f"--user-data-dir={folder}"):
        options.add_argument(argument)
    options.set_capability("goog:loggingPrefs", {"browser": "ALL", "performance": "ALL"})
    return webdriver.Chrome(options, webdriver.ChromeService(str(CHROMEDRIVER)))


def stamp(picture) -> str:
    ns = picture.recorded_ns - 7_000_001
    return f"{ns // 10**9}.{ns % 10**9:09}"


def jpeg_address(data: bytes) -> str:
    return "data:image/jpeg;base64," + base64.b64encode(data).decode()


def assert_shown(page: Page, picture) -> None:
    assert page.source("overlay") == jpeg_address(picture.overlay)
    assert page.source("entropy") == jpeg_address(picture.entropy)
    assert page.shown()["stamp"] == stamp(picture)
    assert page.shown()["shown-camera"] == picture.camera


def of(seen, key):
    return next(p for p in seen.pictures if (p.camera, p.recorded_ns) == tuple(key))


def mark_at(page: Page) -> float:
    marks = page.js("return document.getElementById('timeline-plot').layout.shapes.filter(s => s.name === 'shown')")
    assert len(marks) == 1
    return marks[0]["x0"]
