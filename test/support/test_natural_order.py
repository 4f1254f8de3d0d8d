"""Order of names that hold numbers."""

from trust_seg_ros.support.natural_order import natural_key


def test_numbers_count_by_value():
    assert sorted(["a10", "2", "a2", "10", "b"], key=natural_key) == ["2", "10", "a2", "a10", "b"]
    assert sorted(["drive_10.mcap", "drive_2.mcap"], key=natural_key) == ["drive_2.mcap", "drive_10.mcap"]


def test_digits_that_are_no_numbers_are_text():
    assert sorted(["²", "1", "a²10", "a²9"], key=natural_key) == ["1", "a²9", "a²10", "²"]
