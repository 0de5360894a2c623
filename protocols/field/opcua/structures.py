"""The structures of a server's own, learned once; and whether another server's stand in their way.

asyncua keeps the types of all servers of a process by their node ids. Where two servers give one id to types
with other fields, or a server changed a type since, values of one would be read by the fields of the other:
numbers that look well and are not. So such a server's structures are not read at all.
"""

from __future__ import annotations

from asyncua import ua
from asyncua.client.client import Client
from asyncua.common.structures104 import RecursiveParser

Layout = tuple[object, ...]

_HELD: dict[tuple[str, ua.NodeId], tuple[Layout, str]] = {}
"""By what an id names (a type, its encoding), the fields of who came first, and which server that was."""


async def learn(client: Client) -> str:
    """Learn a server's own structures; return why they cannot be read, "" where they can.

    Raises UaError and whatever asyncua raises for definitions that it cannot read, OSError, TimeoutError.
    """
    url = client.server_url.geturl()
    found: dict[tuple[str, ua.NodeId], Layout] = {}
    names: dict[tuple[str, ua.NodeId], str] = {}
    # `overwrite_existing` here: tell of those too whose name is known already.
    for one in await RecursiveParser(client).parse(client.nodes.base_structure_type, overwrite_existing=True):
        if one.data_type.NamespaceIndex == 0:
            continue
        fields = tuple((f.Name, f.DataType, int(f.ValueRank), bool(f.IsOptional)) for f in one.sdef.Fields)
        layout: Layout = (one.data_type, one.encoding_id, int(one.sdef.StructureType), fields)
        for key in (("type", one.data_type), ("encoding", one.encoding_id)):
            found[key], names[key] = layout, one.name
    for key, layout in found.items():
        held, owner = _HELD.get(key, (layout, url))
        if held != layout:
            return (
                f"its structures are not read: {names[key]} ({key[1].to_string()}) has other fields than "
                + (
                    f"the type of that id at {owner}; give one of the two servers to a gateway of its own"
                    if owner != url
                    else "when the gateway started; start the gateway again"
                )
            )
    # Before anything is waited for: another line may be learning now.
    for key, layout in found.items():
        _HELD.setdefault(key, (layout, url))
    await client.load_data_type_definitions()
    return ""
