"""Launch files where launch is not installed: enough of its names to load a file and look at what it asks for."""

import contextlib
import importlib.util
import sys
import types

NAMES = {
    "launch": ("LaunchContext", "LaunchDescription"),
    "launch.action": ("Action",),
    "launch.actions": (
        "DeclareLaunchArgument",
        "ExecuteProcess",
        "GroupAction",
        "IncludeLaunchDescription",
        "LogInfo",
        "OpaqueFunction",
        "RegisterEventHandler",
        "SetEnvironmentVariable",
        "Shutdown",
        "TimerAction",
    ),
    "launch.conditions": ("IfCondition",),
    "launch.event_handlers": ("OnProcessExit",),
    "launch.launch_description_sources": ("PythonLaunchDescriptionSource",),
    "launch.substitutions": ("LaunchConfiguration", "SubstitutionFailure"),
    "launch_ros": (),
    "launch_ros.actions": ("Node",),
    "launch_ros.substitutions": ("ExecutableInPackage",),
    "launch_ros.parameter_descriptions": ("ParameterValue",),
}


class Asked:
    """What a launch file made: kind, positional and named arguments."""

    def __init__(self, *args, **named):
        self.args, self.named = args, named

    def __getattr__(self, name):
        try:
            return self.__dict__["named"][name]
        except KeyError:
            raise AttributeError(name) from None

    def perform(self, context):
        """Of a LaunchConfiguration: its value in a dictionary that stands for the context; of others, nothing."""
        return context[self.args[0]] if self.args else None


@contextlib.contextmanager
def modules():
    """The names importable, for as long as it takes; what was there before comes back."""
    before = {name: sys.modules.get(name) for name in NAMES}
    for name, members in NAMES.items():
        module = sys.modules[name] = types.ModuleType(name)
        for member in members:
            setattr(module, member, type(member, (Asked,), {}))
    try:
        yield
    finally:
        for name, module in before.items():
            if module is None:
                del sys.modules[name]
            else:
                sys.modules[name] = module


def load(path):
    """A launch file as a module."""
    specification = importlib.util.spec_from_file_location(path.name.split(".")[0] + "_launch_file", path)
    module = importlib.util.module_from_spec(specification)
    with modules():
        specification.loader.exec_module(module)
    return module
