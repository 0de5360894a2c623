"""Sparkplug topics: `spBv1.0/GROUP/VERB/NODE[/DEVICE]` and `spBv1.0/STATE/HOST` (Sparkplug B 3.0.0, 4)."""

from __future__ import annotations

from typing import Annotated, Final, NamedTuple

from pydantic import AfterValidator

from protocols.model.sparkplug import NAMESPACE

NODE_VERBS: Final = frozenset({"NBIRTH", "NDEATH", "NDATA"})
DEVICE_VERBS: Final = frozenset({"DBIRTH", "DDEATH", "DDATA"})
_RESERVED: Final = frozenset("+/#\0")


class Place(NamedTuple):
    """Where a message comes from; `device` is empty for the edge node's own."""

    group: str
    verb: str
    node: str
    device: str = ""


def _checked(name: str) -> str:
    if name and _RESERVED & set(name):
        raise ValueError(f"{name!r} is no Sparkplug id; write it without '+', '/' and '#'")
    return name


SparkplugId = Annotated[str, AfterValidator(_checked)]
"""A group, edge node, device or host id (tck-id-topic-structure-namespace-valid-*)."""


def parse(topic: str) -> Place | None:
    """Return what a topic names; None where edge nodes do not publish such a one."""
    levels = topic.split("/")
    if levels[0] != NAMESPACE or not all(levels):
        return None
    if len(levels) == 4 and levels[2] in NODE_VERBS:
        return Place(levels[1], levels[2], levels[3])
    if len(levels) == 5 and levels[2] in DEVICE_VERBS:
        return Place(levels[1], levels[2], levels[3], levels[4])
    return None


def node_filter(group: str, node: str) -> str:
    """Return the filter of all that an edge node and its devices publish; `#` covers its parent too."""
    return f"{NAMESPACE}/{group}/+/{node}/#"


def command_topic(group: str, node: str, device: str = "") -> str:
    """Return where commands for a device go, or for the edge node itself."""
    if device:
        return f"{NAMESPACE}/{group}/DCMD/{node}/{device}"
    return f"{NAMESPACE}/{group}/NCMD/{node}"


def state_topic(host: str) -> str:
    """Return where a host application says whether it is online (clause 4.3)."""
    return f"{NAMESPACE}/STATE/{host}"
