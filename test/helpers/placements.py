"""Placements at random: what answers of networks are made of their logits."""

from hypothesis import strategies as st

from trust_seg_ros.segmentation.tails import Where


@st.composite
def placements(draw, h, w):
    """None (stretched), corners on corners, or what is left of an upsampled grid of h x w pixels when it is cut."""
    kind = draw(st.sampled_from(["stretched", "corners", "cut"]))
    if kind == "stretched":
        return None
    if kind == "corners":
        size = draw(st.integers(h, 6 * h)), draw(st.integers(w, 6 * w))
        return Where(corners=True).placement((h, w), size)
    factor = draw(st.sampled_from([1, 2, 4, 8]))
    size = draw(st.integers(1, h * factor)), draw(st.integers(1, w * factor))
    return Where(factor, draw(st.booleans()), draw(st.booleans())).placement((h, w), size)
