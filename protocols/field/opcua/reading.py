"""Read one attribute of many nodes, in pieces that the server bears; one bad node costs its own answer only.

pieces of the limit ─→ Read ─→ values
                       └ no answer to be used? does the server tell its own state?
                         ├ no:  the connection is at fault, and ends
                         └ yes: halves, and again, until the node is found whose fault it is;
                                from then on that one is asked for alone, after the others
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from asyncua import ua
from asyncua.client.client import Client
from asyncua.ua.attribute_ids import AttributeIds
from asyncua.ua.object_ids import ObjectIds
from asyncua.ua.uaerrors import UaStatusCodeError

from protocols.field.opcua.answers import Unreadable
from protocols.field.opcua.limits import TOO_MUCH, Limits

_STATE: Final = ua.NodeId(ua.Int32(ObjectIds.Server_ServerStatus_State))


async def read(
    client: Client,
    limits: Limits,
    nodes: Sequence[ua.NodeId | None],
    attribute: AttributeIds = AttributeIds.Value,
) -> list[ua.DataValue | None]:
    """Return an attribute of each node with both times; None where it cannot be read.

    A node for which the server refuses the whole call has that status. Raises UaError, OSError, TimeoutError
    where the server does not even tell its own state.
    """
    proven = False
    alone = limits.alone.setdefault(attribute, set())

    async def ask(piece: Sequence[ua.NodeId | None]) -> Sequence[ua.DataValue | None]:
        nonlocal proven
        try:
            answers = await _read(client, piece, attribute)
        except (Unreadable, UaStatusCodeError) as error:
            if isinstance(error, UaStatusCodeError) and error.code in TOO_MUCH and len(piece) > 1:
                raise  # the limit is halved instead
            if not proven:
                await answering(client)
                proven = True
            if len(piece) == 1:
                alone.update(piece)
                return [_refused(error)]
        else:
            alone.difference_update(piece)
            return answers
        half = len(piece) // 2
        return [*await ask(piece[:half]), *await ask(piece[half:])]

    last = [at for at, node in enumerate(nodes) if node in alone]
    first = sorted(set(range(len(nodes))) - set(last))
    found = dict(zip(first, await limits.split("read", [nodes[at] for at in first], ask), strict=True))
    for at in last:
        (found[at],) = await ask([nodes[at]])
    return [found[at] for at in range(len(nodes))]


async def answering(client: Client) -> None:
    """Return if the server answers what every server can: how it is.

    Raises UaError, OSError, TimeoutError.
    """
    await _read(client, [_STATE], AttributeIds.Value)


async def _read(
    client: Client, nodes: Sequence[ua.NodeId | None], attribute: AttributeIds
) -> list[ua.DataValue]:
    request = ua.ReadParameters()
    request.TimestampsToReturn = ua.TimestampsToReturn.Both
    request.NodesToRead = [ua.ReadValueId(NodeId=node, AttributeId=attribute) for node in nodes]
    return list(await client.uaclient.session.read(request))


def _refused(error: Unreadable | UaStatusCodeError) -> ua.DataValue | None:
    if isinstance(error, Unreadable):
        return None
    return ua.DataValue(StatusCode=ua.StatusCode(ua.UInt32(error.code)))
