"""What stands where along the street: a pure function of the seed and the place."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

from trust_seg_ros.datasets.synthetic.people import SIGNS
from trust_seg_ros.datasets.synthetic.plants import TREES
from trust_seg_ros.datasets.synthetic.textures import FACADES, facade
from trust_seg_ros.datasets.synthetic.vehicles import BODY_NAMES, PAINTS, Vehicle

DISTRICT_M = 150.0
JUNCTION_M = 11.0
STYLES = ("terrace", "commercial", "suburb", "park", "mixed")


@dataclass(frozen=True)
class Thing:
    """Something that stands on the street.

    Attributes:
        kind: tree, pole, lamp, sign, light, fence, hedge, vehicle, post.
        x, s: where, metres right of the centre line and along the street.
        variant: which of its looks.
        size: its height or scale, metres or factor.
        end: for fence and hedge, where it ends along the street.
        vehicle: for vehicles.
    """

    kind: str
    x: float
    s: float
    variant: int = 0
    size: float = 1.0
    end: float = 0.0
    vehicle: Vehicle | None = None


@dataclass(frozen=True)
class House:
    """A building: its front runs along the street at ``x`` from ``s`` to ``end``."""

    x: float
    s: float
    end: float
    variant: int
    height: float
    roof: float
    roof_rgb: tuple[float, float, float]
    shade: bool


@dataclass
class District:
    """A stretch of street in one style."""

    style: str
    half: float
    pave: tuple[float, float]
    variant: int
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
    backdrop: int
    houses: list[House] = field(default_factory=list)
    things: list[Thing] = field(default_factory=list)


class Street:
    """The street of one seed, made district by district when first looked at."""

    def __init__(self, seed: int, traffic: float) -> None:
        self.seed, self.traffic = seed, traffic
        rng = np.random.default_rng([seed, 1])
        self.side = -1.0 if rng.random() < 0.75 else 1.0
        self.sun_side = float(rng.choice([-1.0, 1.0]))
        self.bend = rng.uniform(0.0, 0.0016), rng.uniform(120, 260), rng.uniform(0, 6.3)
        self._districts: dict[int, District] = {}

    def bend_at(self, s: float) -> float:
        """Curvature seen from ``s``, 1/m."""
        size, length, phase = self.bend
        return float(size * np.sin(s / length + phase))

    def district(self, number: int) -> District:
        """District ``number`` covers [number, number + 1) * DISTRICT_M along the street."""
        if number not in self._districts:
            if len(self._districts) > 12:
                self._districts.clear()
            self._districts[number] = self._make(number)
        return self._districts[number]

    def _make(self, number: int) -> District:
        rng = np.random.default_rng([self.seed, 2, number + 1000])
        d = _cross_section(rng, self.side)
        start = number * DISTRICT_M + JUNCTION_M
        for index, side in enumerate((-1.0, 1.0)):
            style = d.style if d.style != "mixed" else str(rng.choice(STYLES[:4]))
            edge = d.half + d.pave[index]
            _houses(d, rng, side, style, edge, start, self.sun_side)
            _furniture(d, rng, side, style, edge, start)
            _parked(d, rng, side, start, self.traffic, self.side)
        _junction(d, rng, start, self.side)
        return d


def _cross_section(rng: np.random.Generator, drive_side: float) -> District:
    half = float(rng.choice([3.2, 3.8, 4.5, 5.5, 7.0]) * rng.uniform(0.92, 1.08))
    pave = tuple(float(v) for v in rng.uniform(1.3, 4.2, 2))
    grey = rng.uniform(62, 132)
    light = rng.uniform(90, 185)
    warm = np.array([1 + rng.uniform(0, 0.07), 1.0, 1 - rng.uniform(-0.03, 0.08)])
    white = float(rng.uniform(170, 235))
    paint = (white, white, white * 0.97)
    edges, yellow = [], (200.0, 160.0, 50.0)
    kind = rng.random()
    if kind < 0.4:
        edges = [
            (sx * (half - off), 0.08, yellow) for sx in (-1, 1) for off in ((0.25, 0.45) if kind < 0.2 else (0.3,))
        ]
    elif kind < 0.6:
        edges = [(sx * (half - 0.35), 0.1, paint) for sx in (-1, 1)]
    if half > 5 and rng.random() < 0.4:
        edges += [(sx * (half - 2.1), 0.1, paint) for sx in (-1, 1)]
    dashes = [0.0] if rng.random() < 0.85 else []
    if half > 6:
        dashes += [-half / 2, half / 2]
    dash = float(rng.choice([3.0, 6.0, 9.0]))
    return District(
        style=str(rng.choice(STYLES, p=[0.3, 0.2, 0.2, 0.1, 0.2])), half=half, pave=pave, variant=int(rng.integers(1 << 16)),
        road_rgb=np.clip(grey * np.array([1, 1.0, 1.03]) + rng.normal(0, 3, 3), 30, 200), pave_rgb=np.clip(light * warm, 40, 230),
        kerb_rgb=np.clip(light * 1.12 * np.ones(3), 40, 240), grass_rgb=np.array([92, 112, 56]) * rng.uniform(0.65, 1.15),
        paint_rgb=paint, edge_lines=edges, dash_lines=dashes, dash_m=dash, dash_on=dash * float(rng.choice([0.33, 0.5, 0.66])),
        zebra=bool(rng.random() < 0.3), arrow_at=float(rng.uniform(20, 120)) if rng.random() < 0.4 else 0.0, backdrop=int(rng.integers(1 << 16)),
    )  # fmt: skip


def _houses(
    d: District, rng: np.random.Generator, side: float, style: str, edge: float, start: float, sun_side: float
) -> None:
    if style == "park":
        return
    back = {"terrace": 0.0, "commercial": 0.0, "suburb": 5.0}[style] + float(rng.uniform(0, 1.5))
    gap = {"terrace": (0, 0.12), "commercial": (0, 0.25), "suburb": (3, 9)}[style]
    s, end = start + float(rng.uniform(0, 3)), start - JUNCTION_M + DISTRICT_M
    same = int(rng.integers(FACADES)) if rng.random() < 0.35 else -1
    roofs = np.array([(96, 70, 60), (72, 72, 78), (120, 84, 66), (60, 58, 58)], np.float64)
    roof_rgb = roofs[rng.integers(4)] * rng.uniform(0.7, 1.2)
    while s < end:
        variant = same if same >= 0 and rng.random() < 0.8 else int(rng.integers(FACADES))
        _, width, height = facade(variant, False)
        if s + width > end + 2:
            break
        roof = float(rng.uniform(1.5, 3.2)) if rng.random() < 0.6 and height < 11 else 0.0
        x = side * (edge + back + float(rng.choice([0, 0, 0, 0.7])))
        d.houses.append(
            House(x, s, s + width, variant, height, roof, tuple(float(v) for v in roof_rgb), side == sun_side)
        )
        if style == "suburb" and rng.random() < 0.5:
            d.things.append(Thing("tree", side * (edge + 2.5), s + width + 2, int(rng.integers(TREES))))
        s += width + float(rng.uniform(*gap)) + (float(rng.uniform(4, 12)) if rng.random() < 0.08 else 0.0)


def _furniture(d: District, rng: np.random.Generator, side: float, style: str, edge: float, start: float) -> None:
    end, kerb = start - JUNCTION_M + DISTRICT_M, side * (d.half + 0.45)
    things = d.things
    lamp = int(rng.integers(4))
    for s in np.arange(start + rng.uniform(3, 15), end, rng.uniform(17, 32)):
        things.append(Thing("lamp", kerb, float(s), lamp, float(rng.uniform(5.5, 9))))
    for s in np.arange(start + rng.uniform(0, 15), end, rng.uniform(9, 24)):
        if rng.random() < 0.75:
            kind = "sign" if rng.random() < 0.7 else "pole"
            x = kerb if rng.random() < 0.7 else side * (edge - 0.3)
            things.append(Thing(kind, x, float(s), int(rng.integers(SIGNS)), float(rng.uniform(2.0, 3.2))))
    density = {"terrace": 0.25, "commercial": 0.3, "suburb": 0.6, "park": 1.0}[style]
    for s in np.arange(start + 5, end, 8.0):
        if rng.random() < density * 0.55:
            on_kerb = style != "park" and d.pave[0 if side < 0 else 1] > 2 and rng.random() < 0.6
            x = kerb + side * 0.3 if on_kerb else side * (edge + float(rng.uniform(1.5, 9 if style == "park" else 4)))
            if style in ("suburb", "park") or on_kerb:
                things.append(
                    Thing(
                        "tree", x, float(s + rng.uniform(0, 4)), int(rng.integers(TREES)), float(rng.uniform(0.8, 1.25))
                    )
                )
    if style == "park":
        for s in np.arange(start, end, 7.0):
            things.append(
                Thing("tree", side * (edge + float(rng.uniform(9, 22))), float(s), int(rng.integers(TREES)), 1.3)
            )
    if style in ("suburb", "park") or rng.random() < 0.3:
        kind = "hedge" if rng.random() < 0.4 and style in ("suburb", "park") else "fence"
        x = side * (edge + 0.05) if style in ("suburb", "park") or rng.random() < 0.4 else side * (d.half + 0.3)
        a, b = sorted(rng.uniform(start, end, 2))
        if style in ("suburb", "park"):
            a, b = start, end
        variant = int(rng.integers(16))
        for s in np.arange(a, b - 6, 6.0):
            if rng.random() < 0.93:
                things.append(Thing(kind, x, float(s), variant, float(0.9 + variant % 4 * 0.3), float(s) + 6.0))


def _parked(
    d: District, rng: np.random.Generator, side: float, start: float, traffic: float, drive_side: float
) -> None:
    dense = float(rng.choice([0.0, 0.25, 0.6, 0.9])) * traffic
    if d.half < 3.6:
        dense *= 0.3
    s = start + 6.0
    while s < start + DISTRICT_M - JUNCTION_M - 8:
        if rng.random() < dense:
            body = str(rng.choice(BODY_NAMES[:5], p=[0.35, 0.25, 0.18, 0.14, 0.08]))
            paint = _paint(rng)
            away = bool(side == drive_side) if rng.random() < 0.8 else bool(rng.random() < 0.5)
            x = side * (d.half - 1.05 + float(rng.normal(0, 0.12)))
            d.things.append(Thing("vehicle", x, s, vehicle=Vehicle(x, s, body, paint, away)))
        s += float(rng.uniform(5.3, 7.5))


def _paint(rng: np.random.Generator) -> tuple[float, float, float]:
    colour = np.clip(np.array(PAINTS[rng.integers(len(PAINTS))]) * rng.uniform(0.85, 1.15), 10, 235)
    return float(colour[0]), float(colour[1]), float(colour[2])


def _junction(d: District, rng: np.random.Generator, start: float, drive_side: float) -> None:
    if rng.random() < 0.6:
        for side in (-1, 1):
            d.things.append(
                Thing(
                    "light",
                    side * (d.half + 0.4),
                    start - JUNCTION_M - 0.5 if side == drive_side else start + 1.0,
                    int(rng.integers(SIGNS) // 6 * 6 + 3),
                    2.3,
                )
            )
            if rng.random() < 0.5:
                d.things.append(Thing("light", side * (d.half + 0.5), start + 0.8, 3, 2.4))
