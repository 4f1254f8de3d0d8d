"""Where the tests find things: this repository, and the data that lies beside it."""

from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
"""The repository."""
HELPERS = ROOT / "test" / "helpers"
DATA = ROOT.parent / "shared" / "data"
"""Real data, never copied into the repository; tests that need it skip where it is absent."""
CAMVID = DATA / "camvid"

needs_camvid = pytest.mark.skipif(not CAMVID.is_dir(), reason=f"the CamVid images are not at {CAMVID}")
