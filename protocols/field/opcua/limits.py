"""How much a server takes in one call: its OperationLimits (OPC 10000-5, 6.3.11), or less where it says so.

wanted rows ─→ pieces of the limit ─→ call ─→ BadTooManyOperations? halve the limit, and again
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from typing import Final, TypeVar

from asyncua import ua
from asyncua.client.client import Client
from asyncua.ua.attribute_ids import AttributeIds
from asyncua.ua.object_ids import ObjectIds
from asyncua.ua.status_codes import StatusCodes
from asyncua.ua.uaerrors import BadUnknownResponse, UaError, UaStatusCodeError

MOST: Final = 500
"""Our own limit: an answer of that size still fits the messages of small controllers."""
TOO_MUCH: Final = frozenset(
    {
        StatusCodes.BadTooManyOperations, StatusCodes.BadEncodingLimitsExceeded,
        StatusCodes.BadRequestTooLarge, StatusCodes.BadResponseTooLarge,
        StatusCodes.BadTcpMessageTooLarge,
    }
)  # fmt: skip
_NODES: Final = {
    "read": ObjectIds.Server_ServerCapabilities_OperationLimits_MaxNodesPerRead,
    "items": ObjectIds.Server_ServerCapabilities_OperationLimits_MaxMonitoredItemsPerCall,
    "browse": ObjectIds.Server_ServerCapabilities_OperationLimits_MaxNodesPerBrowse,
}
One = TypeVar("One")
Answer = TypeVar("Answer")


class Limits:
    """What fits into one call: `read`, `items` (monitored items) and `browse`."""

    def __init__(self) -> None:
        self.most = dict.fromkeys(_NODES, MOST)
        self.alone: dict[AttributeIds, set[ua.NodeId | None]] = {}
        """By attribute, the nodes that spoil the answer to every Read they are part of."""

    async def ask(self, client: Client) -> None:
        """Learn the server's own limits; a server that tells none is asked with ours."""
        nodes = [ua.NodeId(ua.Int32(number)) for number in _NODES.values()]
        try:
            answers = await client.uaclient.session.read_attributes(nodes, AttributeIds.Value)
        except UaError:
            return
        for name, data in zip(_NODES, answers, strict=True):
            value = None if data.Value is None else data.Value.Value
            if isinstance(value, int) and value > 0:
                self.most[name] = min(value, MOST)

    async def split(
        self, name: str, wanted: Sequence[One], call: Callable[[Sequence[One]], Awaitable[Sequence[Answer]]]
    ) -> list[Answer]:
        """Return the answers for all that is wanted, asked in pieces. Raises what `call` raises."""
        answers: list[Answer] = []
        while len(answers) < len(wanted):
            piece = wanted[len(answers) : len(answers) + self.most[name]]
            try:
                got = await call(piece)
            except UaStatusCodeError as error:
                if error.code not in TOO_MUCH or len(piece) == 1:
                    raise
                self.most[name] = (len(piece) + 1) // 2
                continue
            if len(got) != len(piece):
                raise BadUnknownResponse
            answers.extend(got)
        return answers
