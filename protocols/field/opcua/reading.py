"""Read one attribute of many nodes, in pieces that the server bears; one bad node costs its own answer only.

pieces of the limit ─→ Read ─→ values
                       └ unreadable? halves, and again, until the node is found whose value it is ─→ None
"""

from __future__ import annotations

from collections.abc import Sequence

from asyncua import ua
from asyncua.client.client import Client
from asyncua.ua.attribute_ids import AttributeIds

from protocols.field.opcua.answers import Unreadable
from protocols.field.opcua.limits import Limits


async def read(
    client: Client,
    limits: Limits,
    nodes: Sequence[ua.NodeId | None],
    attribute: AttributeIds = AttributeIds.Value,
) -> list[ua.DataValue | None]:
    """Return an attribute of each node with both times; None where it cannot be read, and others can.

    Raises UaError, OSError, TimeoutError.
    """

    async def ask(piece: Sequence[ua.NodeId | None]) -> Sequence[ua.DataValue | None]:
        request = ua.ReadParameters()
        request.TimestampsToReturn = ua.TimestampsToReturn.Both
        request.NodesToRead = [ua.ReadValueId(NodeId=node, AttributeId=attribute) for node in piece]
        try:
            return list(await client.uaclient.session.read(request))
        except Unreadable:
            if len(piece) == 1 and len(nodes) > 1:
                return [None]
            if len(piece) == 1:
                raise
        half = len(piece) // 2
        return [*await ask(piece[:half]), *await ask(piece[half:])]

    answers = await limits.split("read", nodes, ask)
    if answers and all(one is None for one in answers):
        raise Unreadable(f"none of {len(answers)} values can be read")
    return answers
