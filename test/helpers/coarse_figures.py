"""Figures of a third of the size, where a test does not look at how finely they are drawn: half the time."""

from contextlib import contextmanager

import pytest

from trust_seg_ros.evaluation.report import drawing


@contextmanager
def coarse():
    """Figures drawn inside are 500 pixels wide instead of 1,500."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(drawing, "_DPI", 50)
        yield


@pytest.fixture
def coarse_figures():
    """Figures of a test, not of fixtures that tests share, are 500 pixels wide instead of 1,500."""
    with coarse():
        yield
