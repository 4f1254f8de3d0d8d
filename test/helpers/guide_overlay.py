"""An import hook: modules of the package with other text than their files have, and modules without a file.

Compiled kernels keep their names and sources, so the kernel cache stays valid.
"""

from __future__ import annotations

import json
import sys
from importlib.abc import MetaPathFinder
from importlib.machinery import ModuleSpec, SourceFileLoader
from importlib.util import spec_from_file_location
from pathlib import Path


class _Loader(SourceFileLoader):
    """Loads a text in place of the file's; nothing is written beside it."""

    def __init__(self, name: str, path: str, text: str) -> None:
        super().__init__(name, path)
        self._text = text

    def get_data(self, path: str) -> bytes:
        return self._text.encode()

    def get_code(self, fullname: str) -> object:
        return self.source_to_code(self._text.encode(), self.path)


class _Finder(MetaPathFinder):
    """Knows the changed modules by name."""

    def __init__(self, modules: dict[str, tuple[str, str]]) -> None:
        self._modules = modules

    def find_spec(self, fullname: str, path: object = None, target: object = None) -> ModuleSpec | None:
        if fullname not in self._modules:
            return None
        file, text = self._modules[fullname]
        folder = [str(Path(file).parent)] if file.endswith("__init__.py") else None
        return spec_from_file_location(
            fullname, file, loader=_Loader(fullname, file, text), submodule_search_locations=folder
        )


def install(overlay: str) -> None:
    """Take the texts of a file that :func:`guide.run_extended` wrote."""
    content = json.loads(Path(overlay).read_text("utf-8"))
    modules = {}
    for path, text in content["files"].items():
        name = path.removesuffix(".py").removesuffix("/__init__").replace("/", ".")
        modules[name] = (str(Path(content["root"]) / path), text)
    sys.meta_path.insert(0, _Finder(modules))
