"""The layouts for Foxglove that are shipped: their panels, the topics they show, and message paths."""

import json
import re

from places import ROOT

LIVE, REPLAY = "trust_seg_foxglove.json", "trust_seg_foxglove_replay.json"
STATUS = re.compile(
    r'(?P<topic>/[\w/]+)\.status\[(?::\]\{name=="(?P<name>.+?)"\}|0\])\.values\[:\]\{key=="(?P<key>.+?)"\}\.value'
)
"""A value of one status of a DiagnosticArray; ``name`` is None where it is the first one."""
OWN = re.compile(r'(?P<topic>/[\w/]+)\.values\[:\]\{key=="(?P<key>.+?)"\}\.value')
"""A value of a DiagnosticStatus."""


class Layout:
    """One layout.

    Attributes:
        panels: id -> configuration.
        window: the tree of panels in the window.
    """

    def __init__(self, name):
        whole = json.loads((ROOT / "config" / name).read_text())
        self.panels, self.window = whole["configById"], whole["layout"]

    def of(self, kind):
        """The panels of a kind, id -> configuration."""
        return {name: panel for name, panel in self.panels.items() if name.startswith(f"{kind}!")}

    def in_the_window(self):
        """Ids of all panels in the window, those in tabs included."""
        return self._leaves(self.window)

    def _leaves(self, tree):
        if not isinstance(tree, str):
            return self._leaves(tree["first"]) + self._leaves(tree["second"])
        return [tree, *(leaf for tab in self.panels[tree].get("tabs", ()) for leaf in self._leaves(tab["layout"]))]

    def paths(self, *kinds):
        """Message paths of plots and of panels of states."""
        found = []
        for kind in kinds or ("Plot", "StateTransitions", "Indicator"):
            for panel in self.of(kind).values():
                found += [panel["path"]] if "path" in panel else [path["value"] for path in panel["paths"]]
        return found

    def topics_of(self, panel_id):
        """Topics that a panel shows."""
        panel = self.panels[panel_id]
        images = panel.get("imageMode", {})
        shown = {images["imageTopic"]} if "imageTopic" in images else set()
        shown |= {topic for topic, seen in images.get("annotations", {}).items() if seen["visible"]}
        shown |= {topic for topic, seen in panel.get("topics", {}).items() if seen["visible"]}
        shown |= {panel["topicToRender"]} if "topicToRender" in panel else set()
        paths = [panel["path"]] if "path" in panel else [path["value"] for path in panel.get("paths", ())]
        return shown | {matched(path)["topic"] for path in paths}

    def topics(self):
        """All topics that are shown."""
        return {topic for panel in self.panels for topic in self.topics_of(panel)}


def matched(path):
    """A message path in its parts: topic, name (of the status, or None), key."""
    found = STATUS.fullmatch(path) or OWN.fullmatch(path)
    assert found, f"{path} is no path into diagnostics"
    return {"name": None} | found.groupdict()


def value_of(message, path):
    """The text that a path finds in a message, or None."""
    parts = matched(path)
    statuses = message.status if hasattr(message, "status") else [message]
    if parts["name"] is not None:
        statuses = [status for status in statuses if status.name == parts["name"]]
    found = [pair.value for status in statuses[:1] for pair in status.values if pair.key == parts["key"]]
    return found[0] if found else None
