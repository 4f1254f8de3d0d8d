"""No two files need each other, deferred and type-only imports counted: such files are one, or share a third."""

import ast

from places import ROOT

PACKAGE = "trust_seg_ros"


def imports_between(files):
    """Module name -> names of the package's modules that it imports anywhere."""
    names = {".".join(path.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__"): path for path in files}
    found = {}
    for name, path in names.items():
        wanted = set()
        for node in ast.walk(ast.parse(path.read_text("utf-8"))):
            if isinstance(node, ast.ImportFrom) and node.module and not node.level:
                inner = {f"{node.module}.{alias.name}" for alias in node.names}
                wanted |= {full if full in names else node.module for full in inner}
            elif isinstance(node, ast.Import):
                wanted |= {alias.name for alias in node.names}
        found[name] = wanted & names.keys() - {name}
    return found


def circle(graph):
    """Some modules that import each other in a ring; none where there is no ring."""
    graph = {name: set(wanted) for name, wanted in graph.items()}
    while leaves := [name for name, wanted in graph.items() if not wanted]:
        for leaf in leaves:
            del graph[leaf]
        for wanted in graph.values():
            wanted.difference_update(leaves)
    return sorted(graph)


def test_a_ring_is_found():
    assert circle({"a": {"b"}, "b": {"c"}, "c": {"a"}, "d": {"a"}, "e": set()}) == ["a", "b", "c", "d"]
    assert circle({"a": {"b"}, "b": {"c"}, "c": set()}) == []


def test_no_file_of_the_package_imports_itself_in_a_ring():
    graph = imports_between(sorted((ROOT / PACKAGE).rglob("*.py")))
    assert len(graph) > 300
    assert sum(map(len, graph.values())) > 1000
    assert circle(graph) == []
