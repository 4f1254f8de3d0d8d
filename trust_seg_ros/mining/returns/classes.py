"""Which class of a network a name in returned labels means."""

from __future__ import annotations

from collections.abc import Mapping

from trust_seg_ros.library.things import names_with_unknown
from trust_seg_ros.mining.returns.errors import ReturnedError
from trust_seg_ros.segmentation.labels import LabelSet
from trust_seg_ros.support.nearest import did_you_mean
from trust_seg_ros.support.reading import shown
from trust_seg_ros.types import UNLABELLED

IGNORE = "ignore"


class Classes:
    """Ids of names: of classes, the number after the last one for unknown objects, 255 for no class.

    Args:
        labels: the classes.
        renamed: other names in the export -> names of classes, of unknown objects, or ``ignore``.

    Raises:
        ReturnedError: a name is given for something that is no class.
    """

    def __init__(self, labels: LabelSet, renamed: Mapping[str, str]) -> None:
        self.names = names_with_unknown(labels)
        self.unknown = len(labels)
        self._ids = {name: number for number, name in enumerate(self.names)}
        for other, name in renamed.items():
            number = UNLABELLED if name.casefold() == IGNORE and self.find(name) is None else self.find(name)
            if number is None:
                known = (*self.names, IGNORE)
                raise ReturnedError(
                    f"{other}={name}: there is no class {shown(name)}; expected one of {', '.join(known)}"
                    f"{did_you_mean(name, known)}"
                )
            self._ids[other] = number

    def find(self, name: str) -> int | None:
        """Id of a name, upper and lower case alike where that is clear; None: there is no such class."""
        if name in self._ids:
            return self._ids[name]
        alike = {number for other, number in self._ids.items() if other.casefold() == name.strip().casefold()}
        return alike.pop() if len(alike) == 1 else None

    def refuse(self, names: set[str]) -> ReturnedError:
        """The error about names that are no classes."""
        ordered = sorted(names)
        hint = did_you_mean(ordered[0], self.names)
        listed = ", ".join(shown(name, 60) for name in ordered[:12]) + (", …" if len(ordered) > 12 else "")
        return ReturnedError(
            f"the labels name {len(ordered)} classes that the label set has not: {listed}; it has "
            f"{', '.join(self.names)}{hint}. Say what each means: --rename {shown(ordered[0], 60)}=CLASS, or =ignore"
        )
