"""Triton's interpreter for tests of kernels without a GPU; to be imported before any ``*_gpu`` module.

``triton.jit`` reads the variable when a kernel is defined, so that it cannot be set later.
"""

import importlib.util
import os

import pytest

os.environ.setdefault("TRITON_INTERPRET", "1")
_THERE = importlib.util.find_spec("triton") is not None

needs_triton = pytest.mark.skipif(not _THERE, reason="triton is not installed (pip install --no-deps triton==3.7.1)")
"""Mark of tests of Triton kernels."""


def _quicken() -> None:
    """Have the interpreter replace a module of Triton's language once for a launch, not at every call of a function.

    The replacement is the same each time; it took two thirds of the time of kernels that are made of functions.
    """
    from triton import language
    from triton.runtime import interpreter

    replace, launches = interpreter._patch_lang, []

    class Scope:
        """What one launch has replaced, and for which modules."""

        def __init__(self, fn):
            self.modules, self._parts = set(), []
            launches.append(self)
            self.add(fn)

        def add(self, fn):
            named = {id(v) for v in fn.__globals__.values() if v is language or v is language.core}
            if not named <= self.modules:
                self._parts.append(replace(fn))
                self.modules |= named
            return self

        def restore(self):
            launches.remove(self)
            for part in reversed(self._parts):
                part.restore()

    interpreter._patch_lang = lambda fn: launches[-1].add(fn) if launches else Scope(fn)


if _THERE:
    _quicken()
