"""Message definitions and hashes of a bag's types, and messages of ROS 1 as CDR."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import lru_cache
from typing import TYPE_CHECKING

from backports import zstd
from rosbags.convert.converter import LATCH, STATIC_MSGTYPE_RENAMES, is_same_wireformat
from rosbags.interfaces import MessageDefinition, MessageDefinitionFormat
from rosbags.rosbag2.metadata import parse_qos
from rosbags.typesys import Stores, get_types_from_idl, get_types_from_msg, get_typestore

from trust_seg_ros.bags.kinds import ZSTD
from trust_seg_ros.bags.types import BagTopic

if TYPE_CHECKING:
    from rosbags.interfaces import Qos
    from rosbags.interfaces.typing import Typesdict
    from rosbags.rosbag2.metadata import QosDict
    from rosbags.typesys.store import Typestore

_HEADER = "std_msgs/msg/Header"
_IDL_LINE = "=" * 80 + "\n"

LATCHED = tuple(LATCH)
"""QoS of a latched topic of ROS 1."""

NO_DEFINITION = MessageDefinition(MessageDefinitionFormat.NONE, "")


def describe_topic(
    name: str, type_name: str, messages: int, definition: MessageDefinition, digest: str, qos: Sequence[Qos]
) -> BagTopic:
    """The topic with its definition and digest filled in where the storage lacks them and the type is known."""
    text, found = _complete(type_name, definition, digest)
    return BagTopic(name, type_name, messages, text, found, tuple(qos))


@lru_cache(maxsize=4096)
def _complete(type_name: str, definition: MessageDefinition, digest: str) -> tuple[str, str]:
    if definition.format == MessageDefinitionFormat.NONE or not definition.data:
        return _from_distributions(type_name, digest)
    text = definition.data
    if definition.format == MessageDefinitionFormat.IDL and not text.startswith(f"{_IDL_LINE}IDL: "):
        text = f"{_IDL_LINE}IDL: {type_name}\n{text}"  # writers mark IDL definitions with this line
    return text, digest or _hash(type_name, definition)


def _from_distributions(type_name: str, digest: str) -> tuple[str, str]:
    for store in (_store(Stores.ROS2_HUMBLE), _store(Stores.LATEST)):
        if type_name in store.fielddefs:
            known = store.hash_rihs01(type_name)
            if digest in ("", known):
                return store.generate_msgdef(type_name, ros_version=2)[0], known
    return "", digest


def _hash(type_name: str, definition: MessageDefinition) -> str:
    try:
        types: Typesdict = {}
        if definition.format == MessageDefinitionFormat.IDL:
            for text in definition.data.split(_IDL_LINE):
                if text:
                    types |= get_types_from_idl(text.partition("\n")[2] if text.startswith("IDL: ") else text)
        else:
            types = get_types_from_msg(definition.data, type_name)
        store = get_typestore(Stores.EMPTY)
        store.register(types)
        return store.hash_rihs01(type_name)
    except Exception:  # a definition that cannot be parsed has no hash, whatever the parser raises
        return ""


@lru_cache(maxsize=4)
def _store(name: Stores) -> Typestore:
    return get_typestore(name)


def qos_profiles(profiles: list[QosDict] | str | None) -> tuple[Qos, ...]:
    """QoS profiles of a topic as a recorder wrote them (YAML text, or its parsed content); () if not valid."""
    try:
        return tuple(parse_qos(profiles or []))
    except Exception:  # the text may be anything: catch whatever the YAML parser or a missing key raises
        return ()


def as_recorded(data: bytes) -> bytes:
    """CDR of a message that may be compressed by itself (rosbag2's ``--compression-mode message``).

    CDR begins with a zero byte, so the first bytes of a Zstandard frame cannot be mistaken.

    Raises:
        ValueError: the compressed bytes are damaged.
    """
    if not data.startswith(ZSTD):
        return data
    try:
        return zstd.decompress(data)
    except (zstd.ZstdError, MemoryError) as error:
        raise ValueError(f"its {len(data)} compressed bytes are damaged: {error}") from error


def full_type_name(type_name: str) -> str:
    """Name of a message type as ROS 2 spells it today; ROS 1 and early rosbag2 left "msg" out: "sensor_msgs/Image".

    Names of another form, such as those of services, stay as they are.
    """
    package, _, name = type_name.partition("/")
    return f"{package}/msg/{name}" if package and name and "/" not in name else type_name


def ros1_type_name(type_name: str) -> str:
    """Name in ROS 2 of a ROS 1 type, e.g. "sensor_msgs/Image" → "sensor_msgs/msg/Image"."""
    full = full_type_name(type_name)
    return STATIC_MSGTYPE_RENAMES.get(full, full)


@lru_cache(maxsize=4096)
def from_ros1(type_name: str, definition: str) -> tuple[MessageDefinition, Callable[[bytes], bytes]]:
    """The ROS 2 definition of a ROS 1 type, and a function that converts its messages to CDR.

    If ROS 2 has a type of this name with the same fields in the same order, its definition is used (field names may
    differ in case); other types keep their own definition.

    Args:
        type_name: name in ROS 2, see :func:`ros1_type_name`.
        definition: text of the connection record, with all nested types.

    Returns:
        The definition (of format NONE where the text cannot be parsed), and a function that raises ValueError for
        bytes that are not such a message. An empty message stays empty.
    """
    humble = _store(Stores.ROS2_HUMBLE)
    try:
        store = get_typestore(Stores.EMPTY)
        store.register(get_types_from_msg(definition, type_name) | {_HEADER: humble.fielddefs[_HEADER]})
        if type_name in humble.fielddefs and is_same_wireformat(store, humble, type_name, type_name):
            text = humble.generate_msgdef(type_name, ros_version=2)[0]
        else:
            text = store.generate_msgdef(type_name, ros_version=2)[0]
    except Exception as error:  # whatever the parser raises for an invalid definition
        return NO_DEFINITION, _refuse(f"its definition cannot be read: {error!r}")
    return MessageDefinition(MessageDefinitionFormat.MSG, text), _converter(store, type_name)


def _refuse(reason: str) -> Callable[[bytes], bytes]:
    def convert(data: bytes) -> bytes:
        raise ValueError(reason)

    return convert


def _converter(store: Typestore, type_name: str) -> Callable[[bytes], bytes]:
    def convert(data: bytes) -> bytes:
        if not data:
            return b""
        try:
            return bytes(store.ros1_to_cdr(data, type_name))
        except Exception as error:  # generated code: may raise anything that slicing or unpacking wrong bytes raises
            raise ValueError(f"its {len(data)} bytes are not a {type_name}: {error}") from error

    return convert
