"""Moving things and the unknown objects: a pure function of seed, place and time."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from trust_seg_ros.synthetic.dice import Dice
from trust_seg_ros.synthetic.identities import object_number
from trust_seg_ros.synthetic.layout import DISTRICT_M, Street, random_paint
from trust_seg_ros.synthetic.people import CYCLISTS, PEOPLE
from trust_seg_ros.synthetic.unknowns import ANIMALS, VARIANTS, unknown
from trust_seg_ros.synthetic.vehicles import BODY_NAMES, Vehicle


@dataclass(frozen=True)
class Walker:
    """A person, cyclist or unknown object: ``kind`` person, cyclist, or the name of the unknown kind.

    ``number`` is what it keeps over the drive.
    """

    kind: str
    x: float
    s: float
    variant: int
    step: int = 0
    flip: bool = False
    unknown: bool = False
    size: float = 1.0
    number: int = 0


@dataclass(frozen=True)
class Crowd:
    """What is on the street at one moment beside its own things.

    Attributes:
        vehicles: moving vehicles.
        walkers: people, cyclists and unknown objects.
        may_park: whether something at x, of this half width, at s may be there; None = wherever the street has it.
    """

    vehicles: list[Vehicle]
    walkers: list[Walker]
    may_park: Callable[[float, float, float], bool] | None = None


def crowd(street: Street, s: float, time_s: float, speed: float, unknowns: tuple[str, ...], rate: float) -> Crowd:
    """What moves ahead of ``s``, and the unknown objects there."""
    around = walkers(street, s, time_s) + unknown_things(street, s, time_s, unknowns, rate)
    return Crowd(vehicles(street, s, time_s, speed), around)


def _numbers(s: float, shift: float, spacing: float, low: float, high: float) -> range:
    """Numbers n with n * spacing + shift in [s + low, s + high]."""
    return range(int(np.floor((s + low - shift) / spacing)), int(np.ceil((s + high - shift) / spacing)) + 1)


def vehicles(street: Street, s: float, time_s: float, speed: float, flow: float | None = None) -> list[Vehicle]:
    """Moving vehicles ahead of ``s``.

    Those that overtake return to their lane ahead of ``flow`` (metres along the street, ``s`` by default). Where it is
    given, those beside and just behind ``s`` are among them.
    """
    seen_from = 4.0 if flow is None else -8.0
    back_at = s if flow is None else flow
    found: list[Vehicle] = []
    if street.traffic <= 0:
        return found
    oncoming = -(6.0 + street.seed % 5)
    for family, (v, spacing) in enumerate(((oncoming, 26.0), (speed + 0.9, 30.0))):
        shift = v * time_s
        for n in _numbers(s, shift, spacing, -8, 130):
            dice = Dice(street.seed, 5, family, n)
            if dice.random() > 0.5 * street.traffic:
                continue
            at = n * spacing + shift + dice.uniform(0, 0.6) * spacing
            half = street.half_at(at)
            lane = street.side * min(half / 2, 2.2)
            body = dice.choice(BODY_NAMES, [0.32, 0.22, 0.16, 0.14, 0.1, 0.06])
            if family == 0:
                number = object_number("oncoming", n)
                found.append(Vehicle(-lane, at, body, random_paint(dice), False, number=number))
                continue
            clear = float(np.clip((at - back_at - 7.0) / 9.0, 0, 1))  # an overtaking vehicle returns to its lane ahead
            x = lane - street.side * 3.0 * (1 - clear)
            if at - s > seen_from:
                paint, braking = random_paint(dice), dice.random() < 0.3
                found.append(Vehicle(x, at, body, paint, True, braking, object_number("traffic", n)))
    return found


def walkers(street: Street, s: float, time_s: float, nearest: float = 2.0, crossing: bool = True) -> list[Walker]:
    """People and cyclists from ``nearest`` metres ahead of ``s``; without those that cross unless ``crossing``."""
    found: list[Walker] = []
    if street.traffic <= 0:
        return found
    for family, (v, spacing) in enumerate(((1.3, 7.0), (-1.2, 7.0), (4.6, 34.0), (-4.4, 40.0), (0.0, 42.0))):
        shift = v * time_s
        for n in _numbers(s, shift, spacing, nearest, 70) if crossing or v else ():
            dice = Dice(street.seed, 6, family, n)
            if dice.random() > (0.42 if family < 2 else 0.5) * street.traffic:
                continue
            at = n * spacing + shift + dice.uniform(0, 0.9) * spacing
            if at < s + nearest:
                continue
            d = street.district(int(max(at, 0) // DISTRICT_M))
            number = object_number(f"walker{family}", n)
            if family < 2:
                side = dice.choice([-1.0, 1.0])
                x = side * (d.half + 0.5 + dice.uniform(0, 1) * (d.pave[0 if side < 0 else 1] - 0.9))
                look, step, flip = dice.integer(PEOPLE), int(time_s * 8 + n) % 6, dice.random() < 0.5
                found.append(Walker("person", x, at, look, step, flip, number=number))
            elif family < 4:
                away = v > 0
                x = (street.side if away else -street.side) * (d.half - dice.uniform(0.6, 1.3))
                found.append(Walker("cyclist", x, at, dice.integer(CYCLISTS), 0, number=number))
            else:
                found.append(_crosser(dice, d.half + 1.0, at, time_s, number))
    return found


def _crosser(dice: Dice, reach: float, at: float, time_s: float, number: int) -> Walker:
    phase = (time_s * 0.05 * dice.uniform(0.7, 1.2) + dice.random()) % 1.0
    x = reach * (4 * abs(phase - 0.5) - 1)
    if dice.random() < 0.25:
        return Walker("cyclist", x, at, dice.integer(CYCLISTS), 1, phase < 0.5, number=number)
    return Walker("person", x, at, dice.integer(PEOPLE), int(time_s * 8) % 6, phase < 0.5, number=number)


def unknown_things(
    street: Street,
    s: float,
    time_s: float,
    kinds: tuple[str, ...],
    rate: float,
    nearest: float = 2.5,
    may_be: Callable[[float, float, float], bool] | None = None,
) -> list[Walker]:
    """Unknown objects from ``nearest`` to 70 metres ahead: mostly on the road, some on its edge or the pavement.

    ``may_be`` says of x, half a width and s whether an object may be there.
    """
    found: list[Walker] = []
    if not kinds or rate <= 0:
        return found
    spacing = min(46.0 / rate, 23.0)
    for n in _numbers(s, 0.0, spacing, 2, 70):
        dice = Dice(street.seed, 7, n)
        present, kind, place = dice.random() < rate * spacing / 46.0, dice.choice(kinds), dice.random()
        at = (n + dice.random()) * spacing
        if not present or at - s < nearest:
            continue
        d = street.district(int(max(at, 0) // DISTRICT_M))
        x = (
            dice.uniform(-1, 1) * (d.half - 0.6)
            if place < 0.78
            else dice.choice([-1, 1]) * (d.half + dice.uniform(0, 1.2))
        )
        flip, place_x = dice.random() < 0.5, x
        if kind in ANIMALS:
            pace, phase = dice.uniform(0.1, 0.5), dice.uniform(0, 6.3)
            x += 1.2 * float(np.sin(pace * time_s + phase))
            flip = bool(np.cos(pace * time_s + phase) < 0)
        look, size = dice.integer(VARIANTS), dice.uniform(0.85, 1.2)
        if may_be is not None:
            strays = 1.2 if kind in ANIMALS else 0.0
            if not may_be(place_x, unknown(kind, look).reach_m * size + strays, at):
                continue
        found.append(Walker(kind, x, at, look, 0, flip, True, size, object_number("unknown", n)))
    return found
