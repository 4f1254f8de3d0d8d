"""A test's own end of the wire: real processes, real topics, and waiting on conditions."""

import math
import signal
import subprocess
import sys
import tempfile
import time
from contextlib import contextmanager

import numpy as np
import rclpy
from diagnostic_msgs.msg import DiagnosticArray
from lifecycle_msgs.srv import ChangeState, GetState
from rcl_interfaces.srv import DescribeParameters, GetParameters, SetParameters
from rclpy.executors import SingleThreadedExecutor
from rclpy.parameter import Parameter
from rclpy.qos import DurabilityPolicy, QoSProfile, ReliabilityPolicy
from sensor_msgs.msg import CompressedImage, Image
from vision_msgs.msg import Detection2DArray, LabelInfo
from warm_processes import WarmProcess, python_environment

from trust_seg_ros.messages.outputs import ANNOTATIONS, IMAGE, OUTPUTS, needed_scores
from trust_seg_ros.node.annotations import annotations_type

DEADLINE = 60.0
IMAGES = tuple(name for name, output in OUTPUTS.items() if output.type == IMAGE and not needed_scores(name))
"""Topics that every network can fill; ``gradient`` needs one with features."""
OPTIONAL = {"annotations": annotations_type()} if annotations_type() is not None else {}
"""Output -> type, of those whose message package need not be installed."""
PUBLISHED = tuple(name for name, output in OUTPUTS.items() if output.type != ANNOTATIONS or name in OPTIONAL)
"""Outputs that a node has here."""
LATCHED = QoSProfile(depth=1, durability=DurabilityPolicy.TRANSIENT_LOCAL, reliability=ReliabilityPolicy.RELIABLE)


def start(*command, output=subprocess.PIPE, **environment):
    """A child process that finds the package, the tests' networks, and this process's domain."""
    env = python_environment() | environment
    return subprocess.Popen([sys.executable, *command], env=env, stdout=output, stderr=subprocess.STDOUT, text=True)


class NodeProcess:
    """The real node in its own process.

    The cameras of tests send what they like when they like, with stamps that they like: unless a test says otherwise,
    none of it is told as a fault, and no level is held. With ``cameras``, as on the command line of trust_seg_cameras,
    it has a node for each of them.
    """

    def __init__(self, name="trust_seg", file=None, cameras=(), **parameters):
        parameters = {"model": "node_networks:colours", "meta_model": "none", "warm_up.width": 64, "warm_up.height": 48,
                      "diagnostics.period_s": 0.2, "max_age_ms": 0.0, "diagnostics.image_period_ms": 60_000.0,
                      "diagnostics.hold_s": 0.0, "diagnostics.frozen_s": 0.0,
                      "trust_state.image_checks": False} | parameters  # fmt: skip
        arguments = [*cameras, "--ros-args", *([] if cameras else ["-r", f"__node:={name}"])]
        for key, value in parameters.items():
            arguments += ["-p", f"{key}:={str(value).lower() if isinstance(value, bool) else value}"]
        if file is not None:
            arguments += ["--params-file", str(file)]
        self.name = name
        self._output = tempfile.TemporaryFile("w+")  # noqa: SIM115 - as long as the node; a full pipe would stop it
        self.process = WarmProcess(
            f"trust_seg_ros.node.{'cameras' if cameras else 'main'}", *arguments, output=self._output
        )

    def stop(self, how=signal.SIGINT):
        """Ask it to end; returns (exit status, everything it said)."""
        self.process.send_signal(how)
        return self.wait()

    def wait(self):
        return self.process.wait(timeout=DEADLINE), self.said()

    def said(self):
        """Everything it has said so far."""
        self._output.flush()
        self._output.seek(0)
        return self._output.read()

    def kill(self):
        if self.process.poll() is None:
            self.process.kill()
            self.process.wait(timeout=DEADLINE)


@contextmanager
def starting(end):
    """Gives ``begin(name, **parameters)``, which starts a node and its bench; afterwards ``end(node)`` ends each."""
    open_now = []

    def begin(name, **parameters):
        node, bench = NodeProcess(name, **parameters), Bench(name)
        open_now.append((node, bench))
        return node, bench

    yield begin
    for node, bench in open_now:
        bench.close()
        end(node)


@contextmanager
def watched(node, bench):
    """The bench while the node runs, which must survive; pytest shows what it said when something failed."""
    try:
        yield bench
        assert node.process.poll() is None, "the node did not survive"
    finally:
        bench.close()
        node.kill()
        print(node.said())


class Bench:
    """Publishes frames to a node, collects what it says, and calls its services."""

    def __init__(self, target="trust_seg", image=None, frame_id="front"):
        self.context = rclpy.Context()
        rclpy.init(context=self.context)
        self.node = rclpy.create_node(
            f"bench_{target.replace('/', '_')}", context=self.context, use_global_arguments=False
        )
        self.executor = SingleThreadedExecutor(context=self.context)
        self.executor.add_node(self.node)
        self.target, self.frame_id = target, frame_id
        self.image = image or f"/{target}/image"
        self.received = {}
        self.statuses = {}
        self.sent = []
        self._clients = {}
        self._camera = None
        self._stamp = 100
        self.node.create_subscription(DiagnosticArray, "/diagnostics", self._on_diagnostics, 10)

    def close(self):
        self.executor.shutdown()
        self.node.destroy_node()
        rclpy.shutdown(context=self.context)

    def until(self, condition, what, deadline=DEADLINE, each=None):
        """Spin until the condition holds; ``each`` runs every 50 ms."""
        end, due = time.monotonic() + deadline, 0.0
        while not (result := condition()):
            now = time.monotonic()
            assert now < end, f"not within {deadline:.0f} s: {what}; diagnostics: {self.messages()}"
            if each is not None and now >= due:
                each()
                due = now + 0.05
            self.executor.spin_once(timeout_sec=0.02)
        return result

    # --- topics ---

    def listen(self, *names):
        """Collect these outputs."""
        for name in names:
            self.received[name] = []
            kinds = {"segments": Detection2DArray, "label_info": LabelInfo, "summary": DiagnosticArray, **OPTIONAL}
            kind = kinds.get(name, Image)
            qos = LATCHED if name == "label_info" else 50
            self.node.create_subscription(kind, f"/{self.target}/{name}", self.received[name].append, qos)

    def camera(self, reliability=ReliabilityPolicy.RELIABLE, kind=Image, depth=10):
        """Publish images from now on; an earlier camera goes."""
        self.unplug()
        qos = QoSProfile(depth=depth, reliability=reliability)
        self._camera = self.node.create_publisher(kind, self.image, qos)

    def unplug(self):
        if self._camera is not None:
            self.node.destroy_publisher(self._camera)
        self._camera = None

    def send(self, picture=None, **changes):
        """One frame with the next stamp; ``changes`` overwrite fields of the message."""
        self._stamp += 1
        msg = image_of(mixed() if picture is None else picture)
        msg.header.stamp.sec, msg.header.stamp.nanosec = changes.pop("stamp", (self._stamp, 123))
        msg.header.frame_id = self.frame_id
        for name, value in changes.items():
            setattr(msg, name, value)
        self.sent.append((msg.header.stamp.sec, msg.header.stamp.nanosec))
        self._camera.publish(msg)
        return msg.header.stamp.sec

    def pause(self, seconds):
        """The next stamp is so much later: what looks back on seconds of message time starts afresh."""
        self._stamp += seconds

    def send_compressed(self, data, name="jpeg"):
        self._stamp += 1
        msg = CompressedImage(format=name)
        msg.header.stamp.sec, msg.header.frame_id = self._stamp, "front"
        msg.data.frombytes(bytes(data))
        self.sent.append((self._stamp, 0))
        self._camera.publish(msg)
        return self._stamp

    def answer(self, name, picture=None, deadline=DEADLINE):
        """Send a frame until the node answers one sent from now on, on topic ``name``; returns that answer."""
        before = len(self.sent)

        def fresh():
            sent = set(self.sent[before:])
            return [m for m in self.received[name] if (m.header.stamp.sec, m.header.stamp.nanosec) in sent]

        return self.until(fresh, f"an answer on {name}", deadline, lambda: self.send(picture))[0]

    # --- diagnostics ---

    def _on_diagnostics(self, msg):
        for status in msg.status:
            node, _, part = status.name.partition(": ")
            if node == self.target:
                self.statuses[part] = status

    def messages(self):
        return {part: status.message for part, status in self.statuses.items()}

    def value(self, part, key):
        status = self.statuses.get(part)
        return None if status is None else {v.key: v.value for v in status.values}.get(key)

    def says(self, part, words, each=None, deadline=DEADLINE):
        """Wait until the status of ``part`` says ``words``; returns it."""
        self.until(
            lambda: part in self.statuses and words in self.statuses[part].message,
            f"{part} says {words!r}",
            deadline,
            each,
        )
        return self.statuses[part]

    # --- services ---

    def _client(self, kind, name):
        key = f"/{self.target}/{name}"
        if key not in self._clients:
            self._clients[key] = self.node.create_client(kind, key)
        client = self._clients[key]
        self.until(client.service_is_ready, f"service {key}")
        return client

    def ask(self, label):
        """Ask for a lifecycle transition by its label; returns the future of the answer."""
        request = ChangeState.Request()
        request.transition.label = label
        return self._client(ChangeState, "change_state").call_async(request)

    def call(self, kind, name, request, again_s=math.inf):
        """The answer of a service; what changes nothing may be asked again.

        The first answer is lost by the middleware where it has not yet found the client's reader ("failed to send
        response"); being ready only says that the request gets there.
        """
        client = self._client(kind, name)
        futures, started = [client.call_async(request)], time.monotonic()

        def ask_again():
            if time.monotonic() - started > again_s * len(futures):
                futures.append(client.call_async(request))

        found = self.until(lambda: [f for f in futures if f.done()], f"an answer of {name}", each=ask_again)
        return found[0].result()

    def set(self, name, value):
        """Set one parameter through the node's service; returns the result."""
        request = SetParameters.Request(parameters=[Parameter(name, value=value).to_parameter_msg()])
        return self.call(SetParameters, "set_parameters", request).results[0]

    def get(self, name):
        values = self.call(GetParameters, "get_parameters", GetParameters.Request(names=[name])).values
        return rclpy.parameter.parameter_value_to_python(values[0])

    def describe(self, name):
        request = DescribeParameters.Request(names=[name])
        return self.call(DescribeParameters, "describe_parameters", request).descriptors[0]

    def change(self, label):
        """A lifecycle transition by its label; returns whether it succeeded."""
        request = ChangeState.Request()
        request.transition.label = label
        return self.call(ChangeState, "change_state", request).success

    def state(self):
        return self.call(GetState, "get_state", GetState.Request(), again_s=5.0).current_state.label


def image_of(picture):
    """An rgb8 message of an (H, W, 3) uint8 picture."""
    height, width = picture.shape[:2]
    msg = Image(height=height, width=width, encoding="rgb8", step=3 * width)
    msg.data.frombytes(memoryview(np.ascontiguousarray(picture)).cast("B"))
    return msg


def mixed():
    """48 x 64: red | an undecided grey | blue."""
    picture = np.zeros((48, 64, 3), np.uint8)
    picture[:, :24, 0] = 255
    picture[:, 24:40] = 128
    picture[:, 40:, 2] = 255
    return picture
