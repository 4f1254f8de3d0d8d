"""Things along the street and their places: a pure function of seed and place."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

from trust_seg_ros.synthetic.dice import Dice
from trust_seg_ros.synthetic.people import SIGNS
from trust_seg_ros.synthetic.plants import TREES
from trust_seg_ros.synthetic.textures import FACADES, facade
from trust_seg_ros.synthetic.vehicles import BODY_NAMES, PAINTS, Vehicle

DISTRICT_M = 150.0
JUNCTION_M = 11.0
STYLES = ("terrace", "commercial", "suburb", "park", "mixed")


@dataclass(frozen=True)
class Thing:
    """A thing beside or on the street.

    Attributes:
        kind: tree, pole, lamp, sign, light, fence, hedge, vehicle, post.
        x, s: position in metres, right of the centre line and along the street.
        variant: number of its look.
        size: height in metres, or a scale factor.
        end: for fence and hedge, position of its end along the street.
        vehicle: for vehicles.
        outer: whether it is behind the pavement, seen from the road.
    """

    kind: str
    x: float
    s: float
    variant: int = 0
    size: float = 1.0
    end: float = 0.0
    vehicle: Vehicle | None = None
    outer: bool = False

    @property
    def last(self) -> float:
        """Position of its end along the street."""
        return max(self.end, self.s + (self.vehicle.length if self.vehicle else 0.0))


@dataclass(frozen=True)
class House:
    """A building: its front runs along the street at ``x`` from ``s`` to ``end``; ``free`` if its near end shows."""

    x: float
    s: float
    end: float
    variant: int
    height: float
    roof: float
    roof_rgb: tuple[float, float, float]
    shade: bool
    free: bool = True


@dataclass
class District:
    """A stretch of street in one style."""

    style: str
    half: float
    pave: tuple[float, float]
    road_rgb: np.ndarray
    pave_rgb: np.ndarray
    kerb_rgb: np.ndarray
    grass_rgb: np.ndarray
    paint_rgb: tuple[float, float, float]
    edge_lines: list[tuple[float, float, tuple[float, float, float]]]
    dash_lines: list[float]
    dash_m: float
    dash_on: float
    zebra: bool
    arrow_at: float
    houses: list[House] = field(default_factory=list)
    things: list[Thing] = field(default_factory=list)


class Street:
    """The street of one seed; each district is made at first use."""

    def __init__(self, seed: int, traffic: float) -> None:
        self.seed, self.traffic = seed, traffic
        dice = Dice(seed, 1)
        self.side = -1.0 if dice.random() < 0.75 else 1.0
        self.sun_side = dice.choice([-1.0, 1.0])
        self.bend = dice.uniform(0.0, 0.0016), dice.uniform(120, 260), dice.uniform(0, 6.3)
        self.surface = dice.integer(1 << 16)
        self._districts: dict[int, District] = {}

    def bend_at(self, s: float) -> float:
        """Curvature at ``s``, 1/m."""
        size, length, phase = self.bend
        return float(size * np.sin(s / length + phase))

    def half_at(self, s: float) -> float:
        """Half the width of the carriageway, metres; changes smoothly around a junction."""
        number = int(max(s, 0.0) // DISTRICT_M)
        here = self.district(number).half
        t = (s - number * DISTRICT_M) / JUNCTION_M
        if t >= 1 or number == 0:
            return here
        before = self.district(number - 1).half
        return before + (here - before) * t * t * (3 - 2 * t)

    def district(self, number: int) -> District:
        """District ``number``, which covers [number, number + 1) * DISTRICT_M along the street."""
        if number not in self._districts:
            if len(self._districts) > 12:
                self._districts.clear()
            self._districts[number] = self._make(number)
        return self._districts[number]

    def _make(self, number: int) -> District:
        dice = Dice(self.seed, 2, number)
        d = _cross_section(dice, self.side)
        start = number * DISTRICT_M + JUNCTION_M
        for index, side in enumerate((-1.0, 1.0)):
            style = d.style if d.style != "mixed" else dice.choice(STYLES[:4])
            edge = d.half + d.pave[index]
            _houses(d, dice, side, style, edge, start, self.sun_side)
            _furniture(d, dice, side, style, edge, start)
            _parked(d, dice, side, start, self.traffic, self.side)
        _junction(d, dice, start, self.side)
        return d


def _cross_section(dice: Dice, drive_side: float) -> District:
    half = float(dice.choice([3.2, 3.8, 4.5, 5.5, 7.0]) * dice.uniform(0.92, 1.08))
    pave = (dice.uniform(1.3, 4.2), dice.uniform(1.3, 4.2))
    grey = dice.uniform(62, 132)
    light = dice.uniform(90, 185)
    warm = np.array([1 + dice.uniform(0, 0.07), 1.0, 1 - dice.uniform(-0.03, 0.08)])
    white = dice.uniform(170, 235)
    paint = (white, white, white * 0.97)
    edges, yellow = [], (200.0, 160.0, 50.0)
    kind = dice.random()
    if kind < 0.4:
        edges = [
            (sx * (half - off), 0.08, yellow) for sx in (-1, 1) for off in ((0.25, 0.45) if kind < 0.2 else (0.3,))
        ]
    elif kind < 0.6:
        edges = [(sx * (half - 0.35), 0.1, paint) for sx in (-1, 1)]
    if half > 5 and dice.random() < 0.4:
        edges += [(sx * (half - 2.1), 0.1, paint) for sx in (-1, 1)]
    dashes = [0.0] if dice.random() < 0.85 else []
    if half > 6:
        dashes += [-half / 2, half / 2]
    dash = dice.choice([3.0, 6.0, 9.0])
    tint = np.array([dice.bell(3) for _ in range(3)])
    return District(
        style=dice.choice(STYLES, [0.3, 0.2, 0.2, 0.1, 0.2]),
        half=half,
        pave=pave,
        road_rgb=np.clip(grey * np.array([1, 1.0, 1.03]) + tint, 30, 200),
        pave_rgb=np.clip(light * warm, 40, 230),
        kerb_rgb=np.clip(light * 1.12 * np.ones(3), 40, 240),
        grass_rgb=np.array([92, 112, 56]) * dice.uniform(0.65, 1.15),
        paint_rgb=paint,
        edge_lines=edges,
        dash_lines=dashes,
        dash_m=dash,
        dash_on=dash * dice.choice([0.33, 0.5, 0.66]),
        zebra=dice.random() < 0.3,
        arrow_at=dice.uniform(20, 120) if dice.random() < 0.4 else 0.0,
    )


def _houses(d: District, dice: Dice, side: float, style: str, edge: float, start: float, sun_side: float) -> None:
    if style == "park":
        return
    back = {"terrace": 0.0, "commercial": 0.0, "suburb": 5.0}[style] + dice.uniform(0, 1.5)
    gap = {"terrace": (0, 0.12), "commercial": (0, 0.25), "suburb": (3, 9)}[style]
    s, end = start + dice.uniform(0, 3), start - JUNCTION_M + DISTRICT_M
    same = dice.integer(FACADES) if dice.random() < 0.35 else -1
    roofs = np.array([(96, 70, 60), (72, 72, 78), (120, 84, 66), (60, 58, 58)], np.float64)
    roof_rgb = roofs[dice.integer(4)] * dice.uniform(0.7, 1.2)
    last = -1e9
    while s < end:
        variant = same if same >= 0 and dice.random() < 0.8 else dice.integer(FACADES)
        _, width, height = facade(variant, False)
        if s + width > end + 2:
            break
        roof = dice.uniform(1.5, 3.2) if dice.random() < 0.6 and height < 11 else 0.0
        x = side * (edge + back + dice.choice([0, 0, 0, 0.7]))
        tiles = float(roof_rgb[0]), float(roof_rgb[1]), float(roof_rgb[2])
        d.houses.append(House(x, s, s + width, variant, height, roof, tiles, side == sun_side, s - last > 0.8))
        last = s + width
        if style == "suburb" and dice.random() < 0.5:
            d.things.append(Thing("tree", side * (edge + 2.5), s + width + 2, dice.integer(TREES)))
        s += width + dice.uniform(*gap) + (dice.uniform(4, 12) if dice.random() < 0.08 else 0.0)


def _furniture(d: District, dice: Dice, side: float, style: str, edge: float, start: float) -> None:
    end, kerb = start - JUNCTION_M + DISTRICT_M, side * (d.half + 0.45)
    things = d.things
    lamp = dice.integer(4)
    for s in np.arange(start + dice.uniform(3, 15), end, dice.uniform(17, 32)):
        things.append(Thing("lamp", kerb, float(s), lamp, dice.uniform(5.5, 9)))
    for s in np.arange(start + dice.uniform(0, 15), end, dice.uniform(9, 24)):
        if dice.random() < 0.75:
            kind = "sign" if dice.random() < 0.7 else "pole"
            x = kerb if dice.random() < 0.7 else side * (edge - 0.3)
            things.append(Thing(kind, x, float(s), dice.integer(SIGNS), dice.uniform(2.0, 3.2)))
    density = {"terrace": 0.25, "commercial": 0.3, "suburb": 0.6, "park": 1.0}[style]
    for s in np.arange(start + 5, end, 8.0):
        if dice.random() < density * 0.55:
            on_kerb = style != "park" and d.pave[0 if side < 0 else 1] > 2 and dice.random() < 0.6
            x = kerb + side * 0.3 if on_kerb else side * (edge + dice.uniform(1.5, 9 if style == "park" else 4))
            if style in ("suburb", "park") or on_kerb:
                things.append(
                    Thing("tree", x, float(s + dice.uniform(0, 4)), dice.integer(TREES), dice.uniform(0.8, 1.25))
                )
    if style == "park":
        for s in np.arange(start, end, 7.0):
            things.append(Thing("tree", side * (edge + dice.uniform(9, 22)), float(s), dice.integer(TREES), 1.3))
    if style in ("suburb", "park") or dice.random() < 0.3:
        kind = "hedge" if dice.random() < 0.4 and style in ("suburb", "park") else "fence"
        x = side * (edge + 0.05) if style in ("suburb", "park") or dice.random() < 0.4 else side * (d.half + 0.3)
        outer = abs(x) > d.half + 1.0
        a, b = sorted((dice.uniform(start, end), dice.uniform(start, end)))
        if style in ("suburb", "park"):
            a, b = start, end
        variant = dice.integer(16)
        for s in np.arange(a, b - 6, 6.0):
            if dice.random() < 0.93:
                things.append(Thing(kind, x, float(s), variant, 0.9 + variant % 4 * 0.3, float(s) + 6.0, outer=outer))


def _parked(d: District, dice: Dice, side: float, start: float, traffic: float, drive_side: float) -> None:
    dense = dice.choice([0.0, 0.25, 0.6, 0.9]) * traffic
    if d.half < 3.6:
        dense *= 0.3
    s = start + 6.0
    while s < start + DISTRICT_M - JUNCTION_M - 8:
        if dice.random() < dense:
            body = dice.choice(BODY_NAMES[:5], [0.35, 0.25, 0.18, 0.14, 0.08])
            paint = random_paint(dice)
            away = bool(side == drive_side) if dice.random() < 0.8 else dice.random() < 0.5
            x = side * (max(d.half - 1.05, min(d.half / 2, 2.2) + 2.05) + dice.bell(0.12))
            d.things.append(Thing("vehicle", x, s, vehicle=Vehicle(x, s, body, paint, away)))
        s += dice.uniform(5.3, 7.5)


def random_paint(dice: Dice) -> tuple[float, float, float]:
    """RGB of a vehicle's paint."""
    colour = np.clip(np.array(PAINTS[dice.integer(len(PAINTS))]) * dice.uniform(0.85, 1.15), 10, 235)
    return float(colour[0]), float(colour[1]), float(colour[2])


def _junction(d: District, dice: Dice, start: float, drive_side: float) -> None:
    if dice.random() < 0.6:
        for side in (-1, 1):
            d.things.append(
                Thing(
                    "light",
                    side * (d.half + 0.4),
                    start - JUNCTION_M - 0.5 if side == drive_side else start + 1.0,
                    int(dice.integer(SIGNS) // 6 * 6 + 3),
                    2.3,
                )
            )
            if dice.random() < 0.5:
                d.things.append(Thing("light", side * (d.half + 0.5), start + 0.8, 3, 2.4))
