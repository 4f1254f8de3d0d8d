"""The frame rate by stamps, and that it goes on from the stamps it names."""

from hypothesis import given
from hypothesis import strategies as st

from trust_seg_ros.pipeline.frame_rate import FrameRate

STAMPS = st.lists(st.integers(0, 10**12), max_size=40)


def test_it_is_the_inverse_of_the_usual_step():
    rate = FrameRate()
    for k in range(5):
        rate.add(10**9 + k * 10**8)
    assert rate.hz is None, "five frames have four steps"
    rate.add(10**9 + 5 * 10**8)
    assert rate.hz == 10.0
    rate.add(10**13)  # a pause is one step of many
    assert rate.hz == 10.0


@given(STAMPS, STAMPS)
def test_it_goes_on_from_the_stamps_it_names(before, after):
    whole = FrameRate(before)
    other = FrameRate(whole.stamps_ns)
    assert other.hz == whole.hz
    for stamp in after:
        whole.add(stamp)
        other.add(stamp)
        assert other.hz == whole.hz
