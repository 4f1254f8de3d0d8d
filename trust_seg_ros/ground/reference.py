"""The caution map as it is defined, readable and slow; the kernels do the same faster, and tests run both."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from trust_seg_ros.ground.cells import A_FOOT, HIDDEN, NOTHING, SEEN_GROUND, Observation, Placement, Window, nearest_of
from trust_seg_ros.ground.fusion import FORGOTTEN_AFTER, LEAST_P, Fused, Memory
from trust_seg_ros.ground.hazards import NO_HAZARD, OUT_OF_DISTRIBUTION, HazardMaps
from trust_seg_ros.ground.roles import FLAT, GROUND
from trust_seg_ros.ground.scan import MOST_FEET, Scan, slope_of
from trust_seg_ros.ground.scan_kernels import BESIDE as NEXT
from trust_seg_ros.ground.table import PolarTable
from trust_seg_ros.ground.view import GroundView

UNSEEN, TRUSTED, BESIDE, SKY, THING = range(5)
"""What a stretch of an azimuth is: out of the image, trusted ground, flat ground beside it, the sky, or a thing."""


def grid_points(view: GroundView, table: PolarTable) -> np.ndarray:
    """(A, D, 2) row and column of the judging grid, from its upper left corner, that see the samples of a table; NaN
    where the lens does not see them."""
    azimuths, depressions = np.indices(table.pixels.shape)
    azimuth = table.first_azimuth + azimuths * table.azimuth_step
    depression = table.first_depression - depressions * table.depression_step
    left = np.cross(view.ahead, view.down)
    level = np.cos(azimuth)[..., None] * view.ahead + np.sin(azimuth)[..., None] * left
    directions = np.cos(depression)[..., None] * level + np.sin(depression)[..., None] * view.down
    u, v = view.camera.project(directions.reshape(-1, 3)).reshape(*azimuth.shape, 2).transpose(2, 0, 1)
    (rows, columns), (height, width) = table.grid, view.camera.size
    return np.stack([(v + 0.5) * rows / height, (u + 0.5) * columns / width], -1)


@dataclass(frozen=True)
class _Stretch:
    """Neighbouring samples of an azimuth that are one: from ``first`` up to, not with, ``last``."""

    what: int
    first: int
    last: int


def scan(table: PolarTable, maps: HazardMaps, before: np.ndarray) -> Scan:
    """See ``scan.scan``."""
    ground = np.where(table.pixels >= 0, -1.0, -2.0).astype(np.float32)
    lit, feet = np.zeros(len(ground), bool), []
    everything = [list(_before_the_unknown(list(_stretches(pixels, maps)))) for pixels in table.pixels]
    things = [[stretch for stretch in stretches if stretch.what == THING] for stretches in everything]
    for azimuth, (pixels, stretches) in enumerate(zip(table.pixels, everything, strict=True)):
        lit[azimuth] = any(stretch.what == TRUSTED for stretch in stretches)
        believed = list(_before_an_outline(azimuth, stretches, things, slope_of(table)))
        for stretch in believed:
            if stretch.what == TRUSTED:
                part = slice(stretch.first, stretch.last)
                ground[azimuth, part] = maps.p.ravel()[pixels[part]]
        for foot in (stretch.first for stretch in believed if stretch.what == THING):
            _warn_before(ground[azimuth, :foot], maps.p.ravel()[pixels[foot]], before)
            feet.append((azimuth, foot))
    shown = np.array([bool((pixels >= 0).any()) for pixels in table.pixels])
    azimuths, firsts = np.array(feet, np.int32).reshape(-1, 2).T
    return Scan(ground, shown, lit, azimuths, firsts, table.pixels[azimuths, firsts])


def _stretches(pixels: np.ndarray, maps: HazardMaps) -> Iterator[_Stretch]:
    what = [_what(int(pixel), maps) for pixel in pixels]
    first = 0
    for j in range(1, len(what) + 1):
        if j < len(what) and what[j] == what[j - 1] and (what[j] != THING or _one_thing(pixels[j - 1 : j + 1], maps)):
            continue
        yield _Stretch(what[first], first, j)
        first = j


def _what(pixel: int, maps: HazardMaps) -> int:
    if pixel < 0:
        return UNSEEN
    if maps.kind.ravel()[pixel] != NO_HAZARD:
        return THING
    return {GROUND: TRUSTED, FLAT: BESIDE}.get(int(maps.role.ravel()[pixel]), SKY)


def _one_thing(pair: np.ndarray, maps: HazardMaps) -> bool:
    classes, kinds = maps.classes.ravel()[pair], maps.kind.ravel()[pair]
    return bool(classes[0] == classes[1] or (kinds == OUT_OF_DISTRIBUTION).all())


def _before_the_unknown(stretches: list[_Stretch]) -> Iterator[_Stretch]:
    """Up to the sky, to a thing whose foot nobody sees, or to one thing too many."""
    things, below = 0, UNSEEN
    for stretch in stretches:
        if stretch.what == SKY:
            return
        if stretch.what == THING:
            if below not in (TRUSTED, BESIDE) or things == MOST_FEET:
                return
            things += 1
        yield stretch
        below = stretch.what


def _before_an_outline(
    azimuth: int, stretches: list[_Stretch], things: list[list[_Stretch]], slope: float
) -> Iterator[_Stretch]:
    """Up to the outline of a nearer thing: one in a next azimuth that reaches as high, and begins much lower."""
    for stretch in stretches:
        for other in range(max(azimuth - NEXT, 0), min(azimuth + NEXT + 1, len(things))):
            least = stretch.first - 1 - slope * abs(other - azimuth)
            nearer = [thing for thing in things[other] if thing.first < least and thing.last >= stretch.first]
            if stretch.what == THING and nearer:
                return
        yield stretch


def _warn_before(ground: np.ndarray, p: np.float32, before: np.ndarray) -> None:
    """Raise P of the trusted ground before a foot: the thing may stand nearer than it was measured."""
    for share, j in zip(before, range(len(ground) - 1, -1, -1), strict=False):
        if ground[j] >= 0:
            ground[j] = max(ground[j], p * share)


def observe(
    scan: Scan,
    table: PolarTable,
    placement: Placement,
    window: Window,
    height: float,
    range_m: float,
    feet: np.ndarray,
    p: np.ndarray,
) -> Observation:
    """See ``cells.observe``."""
    kind = np.full((window.rows, window.columns), NOTHING, np.uint8)
    found = np.zeros((window.rows, window.columns), np.float32)
    for r in range(window.rows):
        for c in range(window.columns):
            centre = (np.array([window.x + c, window.y + r]) + 0.5) * window.resolution
            samples = _samples_of(
                placement.matrix @ centre + placement.offset, window.resolution, scan, table, height, range_m
            )
            if (samples == -1).any():
                kind[r, c] = HIDDEN
            elif samples.size and samples.min() >= 0:
                kind[r, c], found[r, c] = SEEN_GROUND, samples.max()
    for (x, y), value in zip(feet, p, strict=True):
        c, r = math.floor(x / window.resolution) - window.x, math.floor(y / window.resolution) - window.y
        if 0 <= r < window.rows and 0 <= c < window.columns:
            found[r, c] = max(found[r, c], value) if kind[r, c] == A_FOOT else value
            kind[r, c] = A_FOOT
    return Observation(kind, found)


def _samples_of(
    place: np.ndarray, side: float, scan: Scan, table: PolarTable, height: float, range_m: float
) -> np.ndarray:
    """The samples of the square at a place, ``side`` metres wide, that faces the camera; none where the table ends."""
    azimuths, depressions = table.pixels.shape
    distance = math.sqrt(float(place[0]) ** 2 + float(place[1]) ** 2)
    if not side <= distance <= range_m:
        return np.zeros(0)
    azimuth, wide = math.atan2(place[1], place[0]), 0.5 * side / distance
    a0, a1 = (math.floor((azimuth + d - table.first_azimuth) / table.azimuth_step + 0.5) for d in (-wide, wide))
    j0, j1 = (
        int(np.searchsorted(nearest_of(table, height), distance + d, "right")) - 1 for d in (-0.5 * side, 0.5 * side)
    )
    if j0 < 0 or j1 >= depressions or (not table.closed and (a0 < 0 or a1 >= azimuths)):
        return np.zeros(0)
    return scan.ground[np.arange(a0, a1 + 1) % azimuths, j0 : j1 + 1]


def fuse(memory: Memory, observed: Observation, step_s: float, decay_s: float) -> Fused:
    """See ``fusion.fuse``."""
    m = memory
    m.age[m.weight > 0] += step_s
    m.weight[m.age.astype(np.float64) > FORGOTTEN_AFTER * decay_s] = 0.0
    inside = np.clip(observed.p.astype(np.float64), LEAST_P, 1.0 - LEAST_P)
    odds = np.log(inside / (1.0 - inside))
    kept = m.weight * np.exp(-m.age.astype(np.float64) / decay_s)
    said = (observed.kind == SEEN_GROUND) | (observed.kind == A_FOOT)
    anew = said & ((m.weight == 0) | ((observed.kind == A_FOOT) & (odds > m.log_odds)))
    kept[anew] = 0.0
    m.log_odds[said] = ((kept * m.log_odds + odds) / (kept + 1.0))[said]
    m.weight[said] = kept[said] + 1.0
    m.age[said] = 0.0
    m.seen[observed.kind != NOTHING] = observed.kind[observed.kind != NOTHING] == SEEN_GROUND
    age = m.age.astype(np.float64)
    faded = m.log_odds * np.exp(-age / decay_s)
    p = np.where(m.weight > 0, 1.0 / (1.0 + np.exp(-faded)), np.nan)
    occupancy = np.where(m.weight > 0, np.floor(100.0 * np.nan_to_num(p) + 0.5), -1)
    return Fused(p.astype(np.float32), (m.weight > 0) & m.seen & (age <= decay_s), occupancy.astype(np.int8))
