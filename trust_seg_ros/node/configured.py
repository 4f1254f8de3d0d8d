"""Everything that configure loads and cleanup releases, as one object."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

from rclpy.lifecycle import LifecycleNode

from trust_seg_ros.messages.fields import LabelFields
from trust_seg_ros.node.arrivals import Arrived
from trust_seg_ros.node.budget import FrameBudget
from trust_seg_ros.node.caution import Caution
from trust_seg_ros.node.image_reader import ImageReader
from trust_seg_ros.node.outputs import Outputs
from trust_seg_ros.node.processing import FrameProcessor, Surroundings
from trust_seg_ros.node.progress import Progress
from trust_seg_ros.node.settings import NodeSettings
from trust_seg_ros.node.statistics import Statistics
from trust_seg_ros.node.threshold_watch import ThresholdWatch
from trust_seg_ros.node.worker import Worker
from trust_seg_ros.pipeline import TrustPipeline
from trust_seg_ros.segmentation.shared import SharingCamera


@dataclass(eq=False)
class Configured:
    """The loaded parts of a configured node; exists from a successful configure until cleanup.

    Attributes:
        worker: the thread that everything was loaded in, and that processes frames.
        pipeline: loaded and warmed up.
        outputs: the open topics.
        watch: the current thresholds and the label info.
        budget: how long recent frames took.
        caution: makes maps of the ground; None without ``caution: on``.
        processor: the processor of the latest activation; None before the first.
        lost: what happened to the GPU that everything was loaded on, if it is lost.
    """

    worker: Worker[Arrived]
    pipeline: TrustPipeline
    outputs: Outputs
    watch: ThresholdWatch
    budget: FrameBudget
    caution: Caution | None = None
    processor: FrameProcessor | None = None
    lost: str = ""

    @classmethod
    def load(
        cls,
        node: LifecycleNode,
        worker: Worker[Arrived],
        settings: NodeSettings,
        statistics: Statistics,
        around: Surroundings,
        send_labels: Callable[[LabelFields], None],
        progress: Progress,
        sharing: SharingCamera | None = None,
    ) -> Configured:
        """Load the model, open the topics, compile and warm up everything; after a failure nothing is left open.

        Args:
            node: creates the publishers.
            worker: the thread to load in; after a failure it is stopped, though what it does may not have ended.
            settings: the current parameters.
            statistics: counts the frames.
            around: what frame processing needs from the node.
            send_labels: publishes the label info.
            progress: is told each step; an exception that it raises gives up loading.
            sharing: where the network comes from; whoever gives it releases it. None = it is loaded for this node.

        Raises:
            TrustSegError: a file is missing, corrupt or does not fit the others; a QoS override or a threshold is
                invalid; perturbed passes take longer than ``perturbation.budget_ms``.
        """
        outputs: Outputs | None = None
        caution: Caution | None = None

        def loaded() -> TrustPipeline:
            if sharing is None:
                return TrustPipeline.load(settings.pipeline)
            return TrustPipeline.load(settings.pipeline, lambda wanted: sharing.load(wanted, *settings.batch))

        def warmed(pipeline: TrustPipeline, outputs: Outputs) -> Configured:
            pipeline.warm_up(settings.warm_up_size, progress.step)
            progress.step("running made-up frames")
            pipeline.check(settings.thresholds)
            watch, budget = ThresholdWatch(pipeline, statistics, send_labels), FrameBudget(pipeline.network)
            configured = cls(worker, pipeline, outputs, watch, budget, caution)
            processor = configured.make_processor(settings, statistics, around)
            processor.rehearse_all(settings.warm_up_size, budget)
            if said := budget.looks(settings):
                node.get_logger().info(said)
            pipeline.start_anew()  # a warm-up image must not count as an earlier frame
            return configured

        try:
            progress.step("loading the network")
            pipeline = worker.call(loaded, progress.waiting)
            outputs = opened = Outputs(node)
            if settings.caution.on:
                caution = Caution(node, pipeline, settings.caution, statistics, around.warn, around.alive)
            return worker.call(lambda: warmed(pipeline, opened), progress.waiting)
        except BaseException:
            worker.stop(0.0)
            if outputs is not None:
                outputs.destroy()
            if caution is not None:
                caution.destroy()
            raise

    def make_processor(self, settings: NodeSettings, statistics: Statistics, around: Surroundings) -> FrameProcessor:
        """Create a processor; it reports to watch and budget."""
        around = replace(around, judged=self.watch.frame_done, timed=self.budget.frame_done)
        reader = ImageReader(settings.image_bits, self.worker.waiting)
        return FrameProcessor(self.pipeline, self.outputs, statistics, around, reader, self.caution)

    def release(self) -> bool:
        """Release everything without waiting; False if the current frame never ended and its thread is abandoned."""
        if self.processor is not None:
            self.processor.retire()
        ended = self.worker.stop(0.0)
        self.outputs.destroy()
        if self.caution is not None:
            self.caution.destroy()
        return ended
