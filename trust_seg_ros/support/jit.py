"""``jit``: numba's ``njit`` with a compilation cache in the user's cache directory.

numba's own ``cache=True`` writes beside the source (impossible in a read-only install) unless an environment switch
says otherwise, and that switch moves the cache of every other numba user in the process. Here each kernel carries its
own cache object instead, so nothing outside this package notices.

Three more things differ from ``cache=True``: a kernel is compiled anew when the source of a kernel it *calls* has
changed (numba looks at the kernel's own file only); a cache that is missing, unwritable or damaged is never an error:
the kernel is then compiled anew (every file has a digest, see ``jit_files``: code with a flipped bit would be run); and
processes that compile at the same time do not mix up their files.
"""

from __future__ import annotations

import contextlib
import hashlib
import importlib
import logging
import sys
from collections.abc import Callable
from functools import lru_cache
from pathlib import Path
from types import FunctionType, ModuleType
from typing import Any, TypeVar, overload

import numba
import numpy as np

from trust_seg_ros.support.jit_files import checked_files
from trust_seg_ros.support.paths import cache_dir

F = TypeVar("F", bound=Callable[..., Any])

_log = logging.getLogger(__name__)
_PACKAGE = __name__.partition(".")[0]
_DEFAULTS: dict[str, Any] = {"nogil": True, "error_model": "numpy"}
"""No GIL, so that worker threads run kernels side by side; division as in NumPy, so that loops with one vectorise."""


@lru_cache(maxsize=1)
def _directory() -> Path:
    """Where compiled kernels are kept, made at the first call; one place as long as the process lives."""
    return cache_dir("numba")


@overload
def jit(function: F) -> F: ...
@overload
def jit(*, cache: bool = True, **options: Any) -> Callable[[F], F]: ...
def jit(function: F | None = None, *, cache: bool = True, **options: Any) -> F | Callable[[F], F]:
    """Compile with numba in nopython mode without the GIL; keep the result in the cache (``paths.cache_dir``).

    Use as ``@jit`` or ``@jit(fastmath={"contract"})``. Files are touched at the first call, never at import.

    Args:
        function: what to compile.
        cache: False to compile in memory only.
        options: options of ``numba.njit``; ``nogil`` and ``error_model="numpy"`` are set unless given.

    Returns:
        The numba dispatcher, or a decorator.
    """

    def decorate(inner: F) -> F:
        compiled: F = numba.njit(**{**_DEFAULTS, **options})(inner)
        if cache and hasattr(compiled, "_cache"):  # a plain function under NUMBA_DISABLE_JIT
            _attach_cache(compiled)
        return compiled

    return decorate if function is None else decorate(function)


def _attach_cache(dispatcher: Any) -> None:
    """Give one dispatcher its cache; with an unknown numba it stays uncached."""
    try:
        dispatcher._cache = _make_cache(dispatcher.py_func)
    except Exception as error:  # numba's cache classes are not a public interface
        _log.info("kernel %s is compiled without a cache: %r", dispatcher, error)


@lru_cache(maxsize=1)
def _cache_class() -> type:
    """The subclass of numba's function cache; made on demand so that an unknown numba only costs the cache."""
    caching: Any = importlib.import_module("numba.core.caching")  # without types, like all of numba

    class Locator(caching._CacheLocator):  # type: ignore[misc] # Any
        """Places a function's files in the user's cache directory."""

        def __init__(self, py_func: FunctionType) -> None:
            self._py_file = py_func.__code__.co_filename
            self._line = py_func.__code__.co_firstlineno

        def get_cache_path(self) -> str:
            return str(_directory() / caching._CacheLocator.get_suitable_cache_subpath(self._py_file))

        def get_source_stamp(self) -> str:
            return ""  # set at the first use: functions called may not exist yet

        def get_disambiguator(self) -> str:
            return str(self._line)

    class Impl(caching.CompileResultCacheImpl):  # type: ignore[misc] # Any
        """numba's serialisation with the locator above, whatever numba's own switches say."""

        def __init__(self, py_func: FunctionType) -> None:
            self._lineno = py_func.__code__.co_firstlineno
            self._locator = Locator(py_func)
            name = f"{py_func.__module__}.{py_func.__qualname__}"
            self._filename_base = self.get_filename_base(name, getattr(sys, "abiflags", ""))

    class UserCache(caching.FunctionCache):  # type: ignore[misc] # Any
        """Loads and saves; every failure is a cache miss. The folder is looked for at the first use."""

        _impl_class = Impl
        _cache_path = None  # numba's statistics ask for it

        def __init__(self, py_func: FunctionType) -> None:
            self._name, self._py_func = repr(py_func), py_func
            self._cache_file: Any = None
            self.enable()

        def _prepare(self) -> None:
            if self._cache_file is None:
                super().__init__(self._py_func)
                self._cache_file = checked_files()(self._cache_path, self._impl.filename_base, "")
            self._cache_file._source_stamp = fingerprint(self._py_func)

        def _name_data_file(self, sig: Any, data: Any) -> None:
            # numba numbers the files, and two processes may take one number for two signatures: the index of the one
            # would then lead to the code of the other, which runs, and computes nonsense
            file = self._cache_file
            key = f"{file._source_stamp} {self._index_key(sig, data.codegen)}"
            base = file._index_name.removesuffix(".nbi")
            file._data_name_pattern = f"{base}.{hashlib.sha256(key.encode()).hexdigest()[:16]}.{{number:d}}.nbc"

        def flush(self) -> None:
            with contextlib.suppress(Exception):
                self._prepare()
                super().flush()

        def load_overload(self, sig: Any, target_context: Any) -> Any:
            try:
                self._prepare()
                return super().load_overload(sig, target_context)
            except Exception as error:  # a damaged or unreadable file raises whatever unpickling raises
                _log.info("compiled %s could not be read, compiling: %r", self._name, error)
                self.flush()  # else the damaged index would be in the way of saving, too
                return None

        def save_overload(self, sig: Any, data: Any) -> None:
            try:
                self._prepare()
                self._name_data_file(sig, data)
                super().save_overload(sig, data)
            except Exception as error:
                _log.info("compiled %s could not be kept in %s: %r", self._name, self.cache_path, error)

    return UserCache


def _make_cache(py_func: FunctionType) -> Any:
    return _cache_class()(py_func)


def fingerprint(py_func: FunctionType) -> str:
    """Hash of everything that a compiled kernel depends on.

    Covers the source files of the function and of all kernels it calls, and the values of the plain constants they read
    from their modules (which compilation freezes).

    Args:
        py_func: the Python function under a kernel.

    Returns:
        Hexadecimal digest.
    """
    digest = hashlib.sha256(f"{sys.version_info[:2]} {numba.__version__} {_source_hash(__file__)}".encode())
    seen: set[FunctionType] = set()
    queue = [py_func]
    while queue:
        function = queue.pop()
        if function in seen:
            continue
        seen.add(function)
        digest.update(f"{function.__qualname__} {_source_hash(function.__code__.co_filename)}".encode())
        digest.update(function.__code__.co_code)
        for name, value in _globals_read(function):
            inner = getattr(value, "py_func", None) or getattr(value, "_defn", value)  # a kernel, an intrinsic
            if isinstance(inner, FunctionType):
                queue.append(inner)
            elif isinstance(value, np.ndarray):
                digest.update(value.tobytes())
            elif isinstance(value, (bool, int, float, str, tuple, np.generic)):
                digest.update(f"{name}={value!r}".encode())
    return digest.hexdigest()


def _globals_read(function: FunctionType) -> list[tuple[str, Any]]:
    """Module-level names that a function reads, also through modules of this package (``kernels.exp``)."""
    names = function.__code__.co_names
    found = [(name, function.__globals__[name]) for name in names if name in function.__globals__]
    for _, value in list(found):
        if isinstance(value, ModuleType) and value.__name__.partition(".")[0] == _PACKAGE:
            found += [(name, getattr(value, name)) for name in names if hasattr(value, name)]
    return found


def _source_hash(path: str) -> str:
    try:
        status = Path(path).stat()
        return _hash_file(path, status.st_mtime_ns, status.st_size)
    except OSError:
        return "no source"  # the byte code is part of the fingerprint in any case


@lru_cache(maxsize=256)
def _hash_file(path: str, _mtime_ns: int, _size: int) -> str:
    return hashlib.sha256(Path(path).read_bytes()).hexdigest()
