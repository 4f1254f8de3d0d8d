"""Whether Python of a page could be run: it compiles, what it imports exists, and is called with arguments it has."""

from __future__ import annotations

import ast
import importlib
import importlib.util
import inspect
from typing import Any


class PythonError(AssertionError):
    """Python that cannot run as it stands."""


def check_python(code: str, foreign: frozenset[str] = frozenset()) -> None:
    """Compile, import, look up attributes of what is imported, and bind the arguments of its calls.

    Args:
        code: of a block.
        foreign: modules that the reader writes, which are not imported.

    Raises:
        PythonError: with the name that does not exist.
        SyntaxError: it is no Python.
    """
    tree = ast.parse(code)
    known = _imported(tree, foreign)
    for node in ast.walk(tree):
        if isinstance(node, ast.Attribute):
            _value(node, known)
        elif isinstance(node, ast.Call):
            _bind(node, known)


def _imported(tree: ast.AST, foreign: frozenset[str]) -> dict[str, Any]:
    known: dict[str, Any] = {}
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            for alias in node.names:
                if alias.name.partition(".")[0] not in foreign:
                    module = _module(alias.name)
                    first = _module(alias.name.partition(".")[0])
                    known[alias.asname or alias.name.partition(".")[0]] = module if alias.asname else first
        elif isinstance(node, ast.ImportFrom) and (node.module or "").partition(".")[0] not in foreign:
            module = _module(node.module or "")
            for alias in node.names:
                if not hasattr(module, alias.name) and importlib.util.find_spec(f"{node.module}.{alias.name}") is None:
                    raise PythonError(f"{node.module} has no {alias.name}")
                found = getattr(module, alias.name, None) or _module(f"{node.module}.{alias.name}")
                known[alias.asname or alias.name] = found
    return known


def _module(name: str) -> Any:
    try:
        return importlib.import_module(name)
    except ImportError as error:
        raise PythonError(f"{name} cannot be imported: {error}") from error


def _value(node: ast.expr, known: dict[str, Any]) -> Any:
    """What an expression of names and attributes stands for; None where that is not known before it runs."""
    if isinstance(node, ast.Name):
        return known.get(node.id)
    if isinstance(node, ast.Attribute):
        owner = _value(node.value, known)
        if owner is None or not (inspect.ismodule(owner) or inspect.isclass(owner)):
            return None
        if not hasattr(owner, node.attr) and node.attr not in getattr(owner, "__annotations__", {}):
            raise PythonError(f"{ast.unparse(node.value)} has no {node.attr}")
        return getattr(owner, node.attr, None)
    return None


def _bind(node: ast.Call, known: dict[str, Any]) -> None:
    called = _value(node.func, known)
    if called is None or any(isinstance(arg, ast.Starred) for arg in node.args):
        return
    if any(keyword.arg is None for keyword in node.keywords):
        return
    try:
        signature = inspect.signature(called)
    except (TypeError, ValueError):  # C code that does not say
        return
    try:
        signature.bind(*[None] * len(node.args), **{str(keyword.arg): None for keyword in node.keywords})
    except TypeError as error:
        raise PythonError(f"{ast.unparse(node.func)}: {error}") from error
