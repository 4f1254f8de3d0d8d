"""Triton's interpreter for tests of kernels without a GPU; to be imported before any ``*_gpu`` module.

``triton.jit`` reads the variable when a kernel is defined, so that it cannot be set later.
"""

import importlib.util
import os

import pytest

os.environ.setdefault("TRITON_INTERPRET", "1")

needs_triton = pytest.mark.skipif(
    importlib.util.find_spec("triton") is None, reason="triton is not installed (pip install --no-deps triton==3.7.1)"
)
"""Mark of tests of Triton kernels."""
