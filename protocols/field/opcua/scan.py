"""What an OPC UA address offers: servers, endpoints with their security, and variables with their values.

Discovery needs no session (OPC 10000-4, 5.4.2 and 5.4.4); browsing does. Addresses that discovery returns
may hold a host name that cannot be reached from here, so the technician's own is kept.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any, Final

from asyncua import ua
from asyncua.client.client import Client
from asyncua.ua.attribute_ids import AttributeIds
from asyncua.ua.uaerrors import UaError, UaStatusCodeError

from protocols.errors import ConnectionLost
from protocols.field.filling import read_password
from protocols.field.scanning import Found, Progress
from protocols.model.quality import Quality, quality_name

TIMEOUT_S: Final = 5.0
_PER_READ: Final = 100
_SERVER_NODE: Final = 2253
_MODES: Final = {1: "None", 2: "Sign", 3: "SignAndEncrypt"}
_TOKENS: Final = {0: "anonymous", 1: "user name", 2: "certificate", 3: "issued token"}


async def discover(url: str) -> AsyncIterator[Found | Progress]:
    """Yield the servers and endpoints of an address. Raises ConnectionLost."""
    yield Progress(0, 2, "FindServers")
    for server in await _asked(url, Client(url, timeout=TIMEOUT_S).connect_and_find_servers()):
        name = server.ApplicationName.Text or ""
        detail = {
            "name": name,
            "uri": server.ApplicationUri,
            "product": server.ProductUri,
            "urls": list(server.DiscoveryUrls or ()),
        }
        yield Found("server", str(server.ApplicationUri), f"{name} ({server.ApplicationUri})", detail)
    yield Progress(1, 2, "GetEndpoints")
    for endpoint in await _asked(url, Client(url, timeout=TIMEOUT_S).connect_and_get_server_endpoints()):
        policy = str(endpoint.SecurityPolicyUri).rpartition("#")[2] or str(endpoint.SecurityPolicyUri)
        mode = _MODES.get(int(endpoint.SecurityMode), str(endpoint.SecurityMode))
        users = sorted(
            {_TOKENS.get(int(t.TokenType), str(t.TokenType)) for t in endpoint.UserIdentityTokens or ()}
        )
        usable = mode == "None"
        title = f"security {policy}/{mode}, users: {', '.join(users) or 'none told'}"
        yield Found(
            "endpoint",
            f"{policy}/{mode}",
            title + ("" if usable else " (this gateway speaks None only)"),
            {"url": endpoint.EndpointUrl, "policy": policy, "mode": mode, "users": users},
            {"connections": {"protocol": "opcua", "settings": {"url": url}}} if usable else {},
        )
    yield Progress(2, 2, "done")


async def browse(
    url: str, *, username: str | None = None, password_file: Path | None = None, most: int = 2000
) -> AsyncIterator[Found | Progress]:
    """Yield the variables below Objects, a hundred at a time, at most `most`. Raises ConnectionLost."""
    client = Client(url, timeout=TIMEOUT_S)
    if username is not None:
        client.set_user(username)
        client.set_password(read_password(password_file) or "")
    await _asked(url, client.connect())
    try:
        namespaces = await _asked(url, client.get_namespace_array())
        waiting: deque[tuple[ua.NodeId, str]] = deque([(client.nodes.objects.nodeid, "")])
        seen: set[ua.NodeId] = set()
        variables: list[tuple[ua.NodeId, str]] = []
        told = 0
        while (waiting or variables) and told < most:
            if waiting and len(variables) < _PER_READ:
                node, path = waiting.popleft()
                yield Progress(told, 0, path or "Objects")
                for child in await _asked(url, _children(client, node)):
                    inner = f"{path}/{child.BrowseName.Name}".lstrip("/")
                    own = child.NodeId
                    if own in seen or (own.NamespaceIndex == 0 and own.Identifier == _SERVER_NODE):
                        continue
                    seen.add(own)
                    waiting.append((own, inner))
                    # Namespace 0 is the standard's own: about the server, not about a device.
                    if child.NodeClass == ua.NodeClass.Variable and own.NamespaceIndex:
                        variables.append((own, inner))
                continue
            chunk, variables = variables[:_PER_READ], variables[_PER_READ:]
            for found in await _asked(url, _values(client, chunk, namespaces)):
                if told < most:
                    told += 1
                    yield found
        yield Progress(told, told, "done" if told < most else f"stopped at {most} nodes")
    finally:
        await _close(client)


async def _children(client: Client, node: ua.NodeId) -> list[Any]:
    try:
        return list(await client.get_node(node).get_children_descriptions())
    except UaStatusCodeError:
        # A folder that this user may not look into; its neighbours go on.
        return []


async def _values(client: Client, nodes: list[tuple[ua.NodeId, str]], namespaces: list[str]) -> list[Found]:
    values = await client.uaclient.read_attributes([node for node, _ in nodes], AttributeIds.Value)
    found = []
    for (node, path), data in zip(nodes, values, strict=True):
        status = int(data.StatusCode.value) if data.StatusCode is not None else 0
        kind = data.Value.VariantType.name if data.Value is not None else "nothing"
        array = isinstance(data.Value.Value, list) if data.Value is not None else False
        shown = _shown(data.Value.Value if data.Value is not None else None)
        identifier = node.to_string().rpartition(";")[2]
        uri = namespaces[node.NamespaceIndex] if node.NamespaceIndex < len(namespaces) else ""
        detail = {
            "path": path, "namespace": uri, "node": identifier, "type": kind + ("[]" if array else ""),
            "value": shown, "quality": quality_name(status),
        }  # fmt: skip
        address = {} if array else {"points": {"opcua": {"namespace": uri, "node": identifier}}}
        found.append(Found("node", node.to_string(), f"{path} = {shown} ({detail['type']})", detail, address))
    return found


def _shown(value: Any) -> str | float | bool | None:
    if value is None or isinstance(value, bool | int | float):
        return value
    return " ".join(str(value.Text if isinstance(value, ua.LocalizedText) else value).split())[:120]


async def _asked(url: str, question: Any) -> Any:
    try:
        async with asyncio.timeout(2 * TIMEOUT_S):
            return await question
    except (OSError, TimeoutError, UaError) as error:
        code = getattr(error, "code", None)
        reason = quality_name(code) if isinstance(code, int) else str(error) or "no answer"
        raise ConnectionLost(
            f"OPC UA {url} cannot be used: {reason}; check url, username and password_file, and that the "
            "server offers security policy None",
            code if isinstance(code, int) else Quality.BAD_NO_COMMUNICATION,
        ) from error


async def _close(client: Client) -> None:
    try:
        async with asyncio.timeout(TIMEOUT_S):
            await client.disconnect()
    except (OSError, TimeoutError, UaError):
        # The server is gone already; there is no session left to end.
        return
