"""What the site has beside docs/: an API reference from the docstrings, and files of the repository that pages link to.

A hook of MkDocs (mkdocs.yml names it): MkDocs calls the functions by their names.
"""

from __future__ import annotations

import posixpath
import re
from pathlib import Path
from typing import Any

from mkdocs.config.defaults import MkDocsConfig
from mkdocs.structure.files import File, Files

ROOT = Path(__file__).resolve().parents[1]
OUTSIDE = "repository"
"""Folder of the site for files outside docs/."""
API = "api"
PARTS = {
    "trust_seg_ros.library": "Images in, results that speak",
    "trust_seg_ros.pipeline": "From a frame to a result",
    "trust_seg_ros.types": "What goes in and comes out",
    "trust_seg_ros.errors": "Errors",
    "trust_seg_ros.segmentation": "Networks",
    "trust_seg_ros.uncertainty": "Maps and scores of uncertainty",
    "trust_seg_ros.segments": "Segments and their metrics",
    "trust_seg_ros.meta": "Meta models",
    "trust_seg_ros.thresholds": "Thresholds and calibration",
    "trust_seg_ros.fitting": "Fitting meta models",
    "trust_seg_ros.evaluation": "Measuring",
    "trust_seg_ros.datasets": "Labelled data",
    "trust_seg_ros.synthetic": "The synthetic drive",
    "trust_seg_ros.training": "Training",
    "trust_seg_ros.recordings": "Recordings",
    "trust_seg_ros.mining": "Finding what to label",
}
_LINK = re.compile(r"\[(?P<text>[^\]]*)\]\((?P<to>[^)#\s]+)(?P<anchor>#[^)\s]*)?\)")


def on_config(config: MkDocsConfig) -> MkDocsConfig:
    """Append the reference to the navigation."""
    config.nav = [*(config.nav or []), {"API": [f"{API}/{part}.md" for part in PARTS]}]
    return config


def on_files(files: Files, config: MkDocsConfig) -> Files:
    """Add the pages of the reference, and the files outside docs/ that pages link to."""
    for part, title in PARTS.items():
        files.append(File.generated(config, f"{API}/{part}.md", content=_reference(part, title)))
    waiting, seen = [file.src_uri for file in files if file.src_uri.endswith(".md")], set()
    while waiting:
        uri = waiting.pop()
        source = _source(uri)
        if source is None:
            continue
        for target in _outside(source.read_text("utf-8"), uri):
            if target in seen or not (ROOT / target).is_file():
                continue
            seen.add(target)
            place = f"{OUTSIDE}/{target}"
            files.append(File.generated(config, place, abs_src_path=str(ROOT / target)))
            if target.endswith(".md"):
                waiting.append(place)
    return files


def on_page_markdown(markdown: str, page: Any, **_: Any) -> str:
    """Links out of docs/ point to the copies; a link to a folder, which no site can show, keeps its text alone."""
    uri = page.file.src_uri

    def moved(found: re.Match[str]) -> str:
        target = _target(found["to"], uri)
        if target is None or target.startswith(".."):
            return found[0]
        if (ROOT / target).is_dir():
            return found["text"]
        at = target.removeprefix("docs/") if target.startswith("docs/") else f"{OUTSIDE}/{target}"
        return f"[{found['text']}]({posixpath.relpath(at, posixpath.dirname(uri) or '.')}{found['anchor'] or ''})"

    return _LINK.sub(moved, markdown)


def _source(uri: str) -> Path | None:
    """The file that a page of the site is made from; None for generated ones."""
    path = ROOT / _place(uri)
    return path if path.is_file() else None


def _place(uri: str) -> str:
    """Where a page lies in the repository."""
    return uri.removeprefix(f"{OUTSIDE}/") if uri.startswith(f"{OUTSIDE}/") else f"docs/{uri}"


def _target(link: str, uri: str) -> str | None:
    """Path in the repository that a relative link of a page means."""
    if re.match(r"[a-z]+:|/", link):
        return None
    return posixpath.normpath(posixpath.join(posixpath.dirname(_place(uri)), link))


def _outside(text: str, uri: str) -> list[str]:
    found = [_target(m["to"], uri) for m in _LINK.finditer(text)]
    return [target for target in found if target and not target.startswith(("docs/", ".."))]


def _reference(part: str, title: str) -> str:
    """One page for a part of the package: its own names, then every public module."""
    folder = ROOT / part.replace(".", "/")
    modules = [part]
    if folder.is_dir():
        inside = sorted(p.relative_to(ROOT).with_suffix("") for p in folder.rglob("*.py"))
        modules += [".".join(p.parts) for p in inside if not any(name.startswith("_") for name in p.parts)]
    blocks = [f"::: {module}" for module in modules]
    return f"# {title}\n\n`{part}`\n\n" + "\n\n".join(blocks) + "\n"
