"""config/autoware/diagnostic_graph.yaml against the syntax of Autoware's aggregator, which cannot run here.

Read in autoware_universe, system/autoware_diagnostic_graph_aggregator, of 2026: doc/format/unit.md, config/loader.cpp,
graph/nodes.cpp, graph/logics.cpp and graph/levels.cpp.
"""

import pytest
import yaml
from places import ROOT

FILE = ROOT / "config/autoware/diagnostic_graph.yaml"
OK, WARN, ERROR = range(3)
# type -> keys that it must have, keys that it may have
BASE = {"type", "path", "dependent", "latch", "allow_override"}
TYPES = {
    "diag": ({"node", "name"}, {"timeout", "hysteresis"}),
    "link": ({"link"}, set()),
    "and": ({"list"}, set()),
    "or": ({"list"}, set()),
    "warn-to-ok": ({"item"}, set()),
    "warn-to-error": ({"item"}, set()),
    **{name: (set(), set()) for name in ("ok", "warn", "error", "stale")},
}


@pytest.fixture(scope="module")
def units():
    found = yaml.safe_load(FILE.read_text("utf-8"))
    assert found.keys() <= {"files", "units", "edits"}
    return found["units"]


def every(unit):
    yield unit
    for child in [*unit.get("list", []), *([unit["item"]] if "item" in unit else [])]:
        yield from every(child)


def level(unit, paths, diagnostics):
    """The level of a unit, as graph/logics.cpp has it: an absent diagnostic is STALE, and STALE is an error."""
    kind = unit["type"]
    if kind == "link":
        return level(paths[unit["link"]], paths, diagnostics)
    if kind == "diag":
        return min(diagnostics.get(f"{unit['node']}: {unit['name']}", 3), ERROR)
    if kind == "warn-to-ok":
        inner = level(unit["item"], paths, diagnostics)
        return OK if inner == WARN else inner
    return max((level(child, paths, diagnostics) for child in unit["list"]), default=OK)


def test_it_is_a_graph_that_the_loader_takes(units):
    everything = [unit for top in units for unit in every(top)]
    paths = [unit["path"] for unit in everything if "path" in unit]
    assert len(paths) == len(set(paths)), "PathConflict"
    for unit in everything:
        must, may = TYPES[unit["type"]]
        assert must <= unit.keys() <= must | may | BASE, unit
    assert {unit["link"] for unit in everything if unit["type"] == "link"} <= set(paths), "PathNotFound"
    leaves = [(unit["node"], unit["name"]) for unit in everything if unit["type"] == "diag"]
    assert len(leaves) == len(set(leaves)), "SameDiagFound"


def test_its_leaves_are_statuses_that_the_node_sends(units):
    from trust_seg_ros.node.parameters import BY_NAME

    period = BY_NAME["diagnostics.period_s"].default
    leaves = {unit["name"]: unit for top in units for unit in every(top) if unit["type"] == "diag"}
    assert {unit["node"] for unit in leaves.values()} == {"trust_seg"}
    assert leaves.keys() == {"trust state", "camera", "processing", "model"}
    for name, unit in leaves.items():
        assert unit["timeout"] >= (0.5 if name == "trust state" else 2 * period), "the default of 1 s would flicker"


@pytest.mark.parametrize(
    ("state", "camera", "top", "strict"),
    [
        (OK, OK, OK, OK),
        (WARN, OK, OK, WARN),
        (OK, WARN, OK, WARN),
        (ERROR, OK, ERROR, ERROR),
        (OK, ERROR, ERROR, ERROR),
    ],
)
def test_autonomous_mode_is_kept_while_degraded_and_lost_while_untrusted(units, state, camera, top, strict):
    paths = {unit["path"]: unit for unit in units}
    said = {
        "trust_seg: trust state": state,
        "trust_seg: camera": camera,
        "trust_seg: processing": OK,
        "trust_seg: model": OK,
    }
    assert level(paths["/perception/trust_seg"], paths, said) == top
    assert level(paths["/perception/trust_seg/strict"], paths, said) == strict


def test_a_node_that_is_gone_is_an_error(units):
    paths = {unit["path"]: unit for unit in units}
    assert level(paths["/perception/trust_seg"], paths, {}) == ERROR
