"""What an OPC UA address offers: servers, endpoints with their security, variables and their values, methods.

Discovery needs no session (OPC 10000-4, 5.4.2 and 5.4.4); browsing does. Addresses that discovery returns
may hold a host name that cannot be reached from here, so the technician's own is kept.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import AsyncIterator
from typing import Any, Final, NamedTuple, get_args

from asyncua import ua
from asyncua.client.client import Client
from asyncua.ua.attribute_ids import AttributeIds
from asyncua.ua.uaerrors import UaError, UaStatusCodeError

from protocols.field.opcua.answers import readable
from protocols.field.opcua.client import FieldClient
from protocols.field.opcua.connecting import connect, endpoint_name, endpoints
from protocols.field.opcua.limits import Limits
from protocols.field.opcua.line import farewell
from protocols.field.opcua.methods import Argument, Signature, signature
from protocols.field.opcua.reading import read
from protocols.field.opcua.settings import OpcUaSettings, Policy
from protocols.field.opcua.words import code_name, refusal
from protocols.field.scanning import Found, Progress
from protocols.model.quality import Quality

TIMEOUT_S: Final = 5.0
_PER_READ: Final = 100
_MOST_SEEN: Final = 200_000
"""Nodes that are looked into: an address space may be without end, by mistake or on purpose."""
_UNREADABLE: Final = ua.DataValue(StatusCode=ua.StatusCode(ua.UInt32(Quality.BAD_DECODING_ERROR)))
_SERVER_NODE: Final = 2253
_TOKENS: Final = {0: "anonymous", 1: "user name", 2: "certificate", 3: "issued token"}


class _Method(NamedTuple):
    """A method as it was found: on which object, under which path."""

    owner: ua.NodeId
    node: ua.NodeId
    path: str


async def discover(url: str) -> AsyncIterator[Found | Progress]:
    """Yield the servers and endpoints of an address. Raises ConnectionLost."""
    yield Progress(0, 2, "FindServers")
    for server in await _asked(url, FieldClient(url).connect_and_find_servers()):
        name = server.ApplicationName.Text or ""
        detail = {
            "name": name,
            "uri": server.ApplicationUri,
            "product": server.ProductUri,
            "urls": list(server.DiscoveryUrls or ()),
        }
        yield Found("server", str(server.ApplicationUri), f"{name} ({server.ApplicationUri})", detail)
    yield Progress(1, 2, "GetEndpoints")
    for endpoint in await endpoints(url):
        name = endpoint_name(endpoint)
        policy, _, mode = name.rpartition("/")
        users = sorted(
            {_TOKENS.get(int(t.TokenType), str(t.TokenType)) for t in endpoint.UserIdentityTokens or ()}
        )
        settings = {"url": url}
        if policy != "None":
            settings |= {"security_policy": policy, "security_mode": mode}
        usable = policy in get_args(Policy)
        title = f"security {name}, users: {', '.join(users) or 'none told'}"
        yield Found(
            "endpoint",
            name,
            title + ("" if usable else " (out of date; this gateway does not speak it)"),
            {"url": endpoint.EndpointUrl, "policy": policy, "mode": mode, "users": users},
            {"connections": {"protocol": "opcua", "settings": settings}} if usable else {},
        )
    yield Progress(2, 2, "done")


async def browse(
    settings: OpcUaSettings, *, most: int = 2000, find: str = ""
) -> AsyncIterator[Found | Progress]:
    """Yield variables and methods below Objects, as they are found, at most `most`. Raises ConnectionLost.

    `find`: only those with this text in their path or node id, in small letters or capitals.
    """
    url = settings.url
    client = await connect(settings)
    try:
        namespaces = await _asked(url, client.get_namespace_array())
        limits = Limits()
        await _asked(url, limits.ask(client))
        waiting: deque[tuple[ua.NodeId, str]] = deque([(client.nodes.objects.nodeid, "")])
        seen: set[ua.NodeId] = set()
        variables: list[tuple[ua.NodeId, str]] = []
        methods: deque[_Method] = deque()
        told = 0
        while (waiting or variables or methods) and told < most and len(seen) < _MOST_SEEN:
            if waiting and len(variables) < _PER_READ:
                node, path = waiting.popleft()
                yield Progress(told, 0, path or "Objects")
                for child in await _asked(url, _children(client, node)):
                    inner = f"{path}/{child.BrowseName.Name}".lstrip("/")
                    own = child.NodeId
                    # Namespace 0 is the standard's own: about the server, not about a device.
                    told_apart = find.lower() in f"{inner} {own.to_string()}".lower()
                    if child.NodeClass == ua.NodeClass.Method:
                        # Objects of one type may share its methods; what lies below one are its arguments.
                        if own.NamespaceIndex and told_apart:
                            methods.append(_Method(node, own, inner))
                        continue
                    if own in seen or (own.NamespaceIndex == 0 and own.Identifier == _SERVER_NODE):
                        continue
                    seen.add(own)
                    waiting.append((own, inner))
                    if child.NodeClass == ua.NodeClass.Variable and own.NamespaceIndex and told_apart:
                        variables.append((own, inner))
                continue
            if methods and not variables:
                told += 1
                yield await _asked(url, _method(client, methods.popleft(), namespaces))
                continue
            chunk, variables = variables[:_PER_READ], variables[_PER_READ:]
            for found in await _asked(url, _values(client, chunk, namespaces, limits)):
                if told < most:
                    told += 1
                    yield found
        yield Progress(
            told, told, "done" if not (waiting or variables or methods) else f"stopped at {told} nodes"
        )
    finally:
        await farewell(client, dead=False)


async def _children(client: Client, node: ua.NodeId) -> list[Any]:
    try:
        return list(await client.get_node(node).get_children_descriptions())
    except UaStatusCodeError:
        # A folder that this user may not look into; its neighbours go on.
        return []


async def _values(
    client: Client, nodes: list[tuple[ua.NodeId, str]], namespaces: list[str], limits: Limits
) -> list[Found]:
    wanted = [node for node, _ in nodes]
    values = await read(client, limits, wanted)
    levels = await read(client, limits, wanted, AttributeIds.UserAccessLevel)
    found = []
    for (node, path), told, level in zip(nodes, values, levels, strict=True):
        data = told or _UNREADABLE
        status = int(data.StatusCode.value) if data.StatusCode is not None else 0
        kind = data.Value.VariantType.name if data.Value is not None else "nothing"
        array = isinstance(data.Value.Value, list) if data.Value is not None else False
        shown = _shown(data.Value.Value if data.Value is not None else None)
        identifier = _identifier(node)
        uri = _uri(node, namespaces)
        detail = {
            "path": path, "namespace": uri, "node": identifier, "type": kind + ("[]" if array else ""),
            "value": shown, "quality": code_name(status), "writable": _may_write(level),
        }  # fmt: skip
        where = {"namespace": uri, "node": identifier} | ({"part": "[0]"} if array else {})
        address = {"points": {"opcua": where}}
        found.append(Found("node", node.to_string(), f"{path} = {shown} ({detail['type']})", detail, address))
    return found


async def _method(client: Client, one: _Method, namespaces: list[str]) -> Found:
    """Return a method with its arguments, and how a profile calls it, where one can."""
    try:
        known = await signature(client, one.node)
    except UaStatusCodeError:
        known = Signature(None, None)  # it does not tell this user, who may call it all the same
    (may,) = await read(client, Limits(), [one.node], AttributeIds.UserExecutable)
    allowed = may is not None and may.Value is not None and may.Value.Value is True
    uri, own = _uri(one.owner, namespaces), _identifier(one.node)
    # A profile names both nodes in one namespace, and gives scalars only.
    fits = known.inputs is not None and not any(argument.array for argument in known.inputs)
    detail: dict[str, Any] = {
        "path": one.path, "namespace": uri, "node": _identifier(one.owner), "method": own,
        "inputs": _named(known.inputs), "outputs": _named(known.outputs), "executable": allowed,
        "callable": fits and one.owner.NamespaceIndex == one.node.NamespaceIndex,
    }  # fmt: skip
    address: dict[str, Any] = {}
    if detail["callable"]:
        called = {"node": own, "inputs": [{} for _ in detail["inputs"]]}
        address = {"points": {"opcua": {"namespace": uri, "node": detail["node"], "method": called}}}
    title = f"{one.path}({', '.join(detail['inputs'])})"
    if detail["outputs"]:
        title += f" = {', '.join(detail['outputs'])}"
    return Found("method", one.node.to_string(), title, detail, address)


def _named(told: tuple[Argument, ...] | None) -> list[str]:
    """Return arguments as `Litres: Double`; of a type that is not told, or an array, as `Litres: ?`."""
    return [
        f"{one.name or '?'}: {'?[]' if one.array else one.kind.name if one.kind else '?'}"
        for one in told or ()
    ]


def _uri(node: ua.NodeId, namespaces: list[str]) -> str:
    return namespaces[node.NamespaceIndex] if node.NamespaceIndex < len(namespaces) else ""


def _identifier(node: ua.NodeId) -> str:
    """Return a node id without its namespace."""
    text = node.to_string()
    # An identifier may itself hold semicolons; namespace 0 has no part before it.
    return text.partition(";")[2] if node.NamespaceIndex else text


def _may_write(level: ua.DataValue | None) -> bool:
    held = None if level is None or level.Value is None else level.Value.Value
    return isinstance(held, int) and bool(held >> ua.AccessLevel.CurrentWrite & 1)


def _shown(value: Any) -> str | float | bool | None:
    if value is None or isinstance(value, bool | int | float):
        return value
    return " ".join(str(value.Text if isinstance(value, ua.LocalizedText) else value).split())[:120]


async def _asked(url: str, question: Any) -> Any:
    try:
        async with asyncio.timeout(2 * TIMEOUT_S):
            with readable():
                return await question
    except (OSError, TimeoutError, UaError) as error:
        raise refusal(url, error) from error
