"""Topics of a bag, from its storage files and metadata.yaml."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

from trust_seg_ros.bags.types import IMAGE_TYPES, BagTopic, Remarks, Storage

if TYPE_CHECKING:
    from trust_seg_ros.bags.folder import Metadata


def topics_of(storages: Sequence[Storage], metadata: Metadata | None, remarks: Remarks) -> dict[str, BagTopic]:
    """Topics of all files by name; messages are counted unless metadata.yaml agrees with the files."""
    there = sum(storage.total for storage in storages)
    if metadata is None:
        return _by_files([storage.topics for storage in storages], remarks)
    declared = _by_files([storage.declared for storage in storages], remarks)
    stated = sum(topic.messages for topic in metadata.topics.values())
    trusted = there == metadata.messages == stated and all(
        name in metadata.topics and metadata.topics[name].type_name == topic.type_name
        for name, topic in declared.items()
    )
    if trusted:
        counted = {name: replace(topic, messages=metadata.topics[name].messages) for name, topic in declared.items()}
    else:
        if not remarks and not any(storage.remarks for storage in storages):
            remarks.add(
                f"metadata.yaml counts {metadata.messages} messages ({stated} by topic), but the storage files hold "
                f"{there}"
            )
        counted = _by_files([storage.topics for storage in storages], remarks)
    return _with_metadata(counted, metadata)


def _by_files(files: Sequence[Sequence[BagTopic]], remarks: Remarks) -> dict[str, BagTopic]:
    found: dict[str, BagTopic] = {}
    counts: Counter[tuple[str, str]] = Counter()
    for topic in (topic for topics in files for topic in topics):
        counts[topic.name, topic.type_name] += topic.messages
        earlier = found.setdefault(topic.name, topic)
        if earlier.type_name != topic.type_name:
            remarks.add(f"{topic.name} was recorded with the types {earlier.type_name} and {topic.type_name}")
            if topic.type_name in IMAGE_TYPES and earlier.type_name not in IMAGE_TYPES:
                found[topic.name] = topic
        elif not earlier.definition and topic.definition:
            found[topic.name] = topic
    return {name: replace(topic, messages=counts[name, topic.type_name]) for name, topic in found.items()}


def _with_metadata(topics: dict[str, BagTopic], metadata: Metadata) -> dict[str, BagTopic]:
    """The topics, completed by the hashes, QoS profiles and topics without messages that only metadata.yaml lists."""
    from trust_seg_ros.bags.definitions import NO_DEFINITION, describe_topic

    found = dict(topics)
    for name, stated in metadata.topics.items():
        topic = found.get(name)
        if topic is None:
            found[name] = describe_topic(name, stated.type_name, 0, NO_DEFINITION, stated.digest, stated.qos)
        elif topic.type_name == stated.type_name:
            found[name] = replace(topic, digest=stated.digest or topic.digest, qos=stated.qos or topic.qos)
    return found
