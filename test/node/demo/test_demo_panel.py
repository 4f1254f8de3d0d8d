import io
from pathlib import Path

from rich.console import Console

from trust_seg_ros.node.demo.panel import DemoPanel, line, summary
from trust_seg_ros.node.demo.recorder import Recording
from trust_seg_ros.node.demo.run import starting
from trust_seg_ros.node.demo.watch import Report, Status

STATUS = Status(
    state="active",
    camera_rate=15.0,
    rate=14.6,
    p50=41.2,
    p99=88.0,
    results=300,
    drops=7,
    flagged=3,
    flagged_mean=2.5,
    latencies=(40.0, 41.0, 80.0),
    reports={
        "thresholds": Report(0, "unreliable 0.5, pixel 0.6", {}),
        "processing": Report(0, "fine", {"processing ms (p50)": "38.1"}),
        "camera": Report(1, "the camera is silent", {}),
    },
    topics={"/trust_seg/segmentation": (300, 14.6, 14.5, 245_800.0), "/trust_seg/ood": (0, 0.0, 0.0, 0.0)},
)


def printed(renderable, width=120):
    console = Console(file=io.StringIO(), width=width)
    console.print(renderable)
    return console.file.getvalue()


def test_the_live_panel_shows_every_figure():
    panel = DemoPanel(Console(file=io.StringIO(), force_terminal=True, width=120), "a drive", 20)
    text = printed(panel.render(STATUS, "playing", 5.0))
    figures = (
        "14.6 of 15.0 Hz",
        "41 ms / 88 ms",
        "38.1 ms",
        "5 s of 20 s",
        "300",
        "7",
        "3 (mean 2.5)",
        "245.8 kB",
        "█",
    )
    words = ("a drive", "unreliable 0.5, pixel 0.6", "the camera is silent", "/trust_seg/segmentation")
    for word in figures + words:
        assert word in text, word
    assert "configuring" in printed(panel.render(Status(state="configuring"), "starting", 3.0))


def test_a_log_gets_one_line():
    text = line(STATUS, "playing", 5.0)
    assert "\n" not in text
    assert "14.6 frames/s of 15.0" in text
    assert "p50 41 ms p99 88 ms" in text
    assert "! camera: the camera is silent" in text
    assert line(Status(), "starting the node", 2.0) == "starting the node, 2 s (node: starting)"


def test_where_there_is_no_terminal_lines_are_printed_not_redrawn():
    console = Console(file=io.StringIO(), width=200)
    with DemoPanel(console, "a drive", 0) as panel:
        for _ in range(5):
            panel.show(STATUS, "playing", 1.0)
    assert console.file.getvalue().count("frames/s") == 1


def test_a_terminal_is_redrawn():
    console = Console(file=io.StringIO(), force_terminal=True, width=120)
    with DemoPanel(console, "a drive", 0) as panel:
        panel.show(STATUS, "playing", 1.0)
    assert "frame rate" in console.file.getvalue()


def test_the_summary_lists_topics_and_files():
    text = printed(summary(STATUS, Recording(Path("out/demo.mp4"), Path("out/demo.png"), 290, 19.3, 4)))
    figures = ("14.5 Hz", "300 frames answered, 7 dropped", "out/demo.mp4 (290 frames, 19.3 s)")
    for word in (*figures, "/trust_seg/segmentation", "out/demo.png"):
        assert word in text, word
    assert "demo.mp4" not in printed(summary(STATUS, None))


def test_the_summary_says_why_there_is_no_film():
    nothing = Recording(None, None, 0, 0.0, 0)
    assert "no picture: no frame was answered" in printed(summary(Status(), nothing))
    assert "none of 3 answers arrived whole" in printed(summary(Status(results=3), nothing))


def test_the_start_says_what_is_going_on():
    assert starting(Status(), 1.0) == "starting the node"
    for state, elapsed in (("configuring", 1.0), ("", 60.0), ("unconfigured", 60.0)):
        assert "compiling (first start only" in starting(Status(state=state), elapsed)
    assert "activating" in starting(Status(state="inactive"), 60.0)
    assert "first result" in starting(Status(state="active"), 60.0)
