"""Keeps the result of a part until the package, a shipped file or the study itself changes."""

from __future__ import annotations

import hashlib
import json
import time
from collections.abc import Callable
from functools import lru_cache

from folders import ROOT, Places
from sheets import Sheet


def kept(part: str, measure: Callable[[Places], list[Sheet]], places: Places, *, fresh: bool) -> list[Sheet]:
    """The sheets of a part, from its file if that is of the present package, else measured."""
    path, of = places.runs / f"{part}.json", fingerprint()
    if not fresh and path.is_file():
        found = json.loads(path.read_text("utf-8"))
        if found["of"] == of:
            print(f"{part}: measured before, with the same files ({path})", flush=True)
            return [Sheet.from_json(sheet) for sheet in found["sheets"]]
    begin = time.monotonic()
    print(f"{part}: measuring", flush=True)
    sheets = measure(places)
    print(f"{part}: {time.monotonic() - begin:.0f} s", flush=True)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps({"of": of, "sheets": [sheet.to_json() for sheet in sheets]}), "utf-8")
    return sheets


@lru_cache(maxsize=1)
def fingerprint() -> str:
    """Hash of everything that a result depends on: the package with its weights and models, and this study."""
    total = hashlib.sha256()
    for folder in (ROOT / "trust_seg_ros", ROOT / "benchmarks" / "real_study"):
        for path in sorted(folder.rglob("*")):
            if path.is_file() and "__pycache__" not in path.parts:
                total.update(str(path.relative_to(ROOT)).encode() + b"\0")
                total.update(hashlib.sha256(path.read_bytes()).digest())
    return total.hexdigest()
