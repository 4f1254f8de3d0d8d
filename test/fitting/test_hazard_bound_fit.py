"""The bound on missed hazard cells: losses against the definition, and its promise over many random drives."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from trust_seg_ros.fitting.hazard_bound import GRID, HazardBoundBuilder, missed_shares
from trust_seg_ros.ground.hazard_bound import HazardBoundError, MapConditions

CONDITIONS = MapConditions(0.2, 40.0, (1.5, 1.5), (90.0, 90.0), ("Road",))
SHAPE = st.tuples(st.integers(1, 6), st.integers(1, 6))
PROBABILITIES = st.one_of(st.just(float("nan")), st.floats(0, 1, width=32), st.sampled_from(GRID.tolist()))


@given(st.data(), SHAPE)
def test_losses_are_the_share_of_hazard_cells_that_are_free(data: st.DataObject, shape: tuple[int, int]) -> None:
    p = data.draw(arrays.arrays(np.float32, shape, elements=PROBABILITIES))
    seen, hazards = (data.draw(arrays.arrays(bool, shape)) for _ in range(2))
    found = missed_shares(p, seen, hazards)
    for k in (0, 1, 17, 40, 500, len(GRID) - 1):
        free = seen & (p < GRID[k])
        expected = np.count_nonzero(free & hazards) / hazards.sum() if hazards.any() else 0.0
        assert found[k] == expected
    assert found[0] == 0.0
    assert (np.diff(found) >= 0).all()


def drives(rng: np.random.Generator, number: int, frames: int = 4) -> list[list[tuple[np.ndarray, ...]]]:
    """Drives, some of which the network sees badly: P(hazard) of their hazard cells is low in every frame."""
    found = []
    for _ in range(number):
        quality = rng.beta(2.0, 0.5)
        made = []
        for _ in range(frames):
            hazards, seen = rng.random((5, 8)) < 0.3, rng.random((5, 8)) < 0.8
            p = np.where(hazards, rng.beta(1.0 + 4.0 * quality, 1.0, (5, 8)), rng.beta(0.5, 8.0, (5, 8)))
            made.append((p.astype(np.float32), seen, hazards))
        found.append(made)
    return found


def built(some: list[list[tuple[np.ndarray, ...]]]) -> HazardBoundBuilder:
    builder = HazardBoundBuilder("drive")
    for k, drive in enumerate(some):
        for p, seen, hazards in drive:
            builder.add(f"drive {k}", p, seen, hazards, CONDITIONS)
    return builder


@pytest.mark.parametrize(("alpha", "units"), [(0.1, 12), (0.05, 30)])
def test_the_expected_loss_of_new_drives_is_at_most_alpha(alpha: float, units: int) -> None:
    rng = np.random.default_rng(5)
    losses = []
    for _ in range(150):
        bound = built(drives(rng, units)).bound()
        threshold = bound.curve.threshold(alpha)
        place = 0 if threshold == -np.inf else int(np.searchsorted(GRID, threshold))
        losses += [loss[place] for loss in built(drives(rng, 4)).losses().values()]
    margin = 3 * np.std(losses) / np.sqrt(len(losses))
    assert np.mean(losses) <= alpha + margin
    assert np.mean(losses) > alpha / 4  # the bound is not kept by leaving nothing free


def test_frames_of_a_drive_count_as_one_unit() -> None:
    p, seen, hazards = np.full((2, 2), 0.25, np.float32), np.ones((2, 2), bool), np.ones((2, 2), bool)
    builder = HazardBoundBuilder("drive")
    builder.add("a", p, seen, hazards, CONDITIONS)
    builder.add("a", p, seen, ~hazards, CONDITIONS)
    builder.add("b", p, seen, ~hazards, CONDITIONS)
    bound = builder.bound()
    assert (bound.curve.images, bound.frames, bound.cells) == (2, 3, 4)
    assert bound.curve.risk[-1] == pytest.approx(0.25)  # (1 + 0) / 2 in one drive, 0 in the other
    assert bound.curve.risk[np.searchsorted(GRID, 0.25)] == 0.0


def test_what_gives_no_bound_is_refused() -> None:
    nothing = np.zeros((2, 2), bool)
    builder = HazardBoundBuilder("image")
    with pytest.raises(HazardBoundError, match="no frame"):
        builder.bound()
    builder.add("a", np.zeros((2, 2), np.float32), ~nothing, nothing, CONDITIONS)
    with pytest.raises(HazardBoundError, match="without a true hazard cell"):
        builder.bound()
    with pytest.raises(HazardBoundError, match=r"\(2, 2\).*\(3, 2\)"):
        builder.add("a", np.zeros((2, 2), np.float32), ~nothing, np.zeros((3, 2), bool), CONDITIONS)
    with pytest.raises(HazardBoundError, match="expected drive or image"):
        HazardBoundBuilder("frame")
