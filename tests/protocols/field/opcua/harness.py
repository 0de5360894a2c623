"""asyncua's server under the contract."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Coroutine
from typing import Any, ClassVar, TypeVar

from asyncua import ua
from asyncua.crypto.cert_gen import generate_private_key, generate_self_signed_app_certificate
from asyncua.crypto.permission_rules import User, UserRole
from asyncua.crypto.security_policies import SECURITY_POLICY_TYPE_MAP, SecurityPolicyFactory
from asyncua.server.server import Server
from asyncua.server.user_managers import UserManager
from asyncua.ua.uaerrors import UaError
from cryptography import x509
from cryptography.hazmat.primitives import serialization
from cryptography.x509.oid import ExtendedKeyUsageOID

from protocols.field.base import BoundDevice
from tests.protocols.field.contract import Harness
from tests.protocols.field.devices import bind, profile

T = TypeVar("T")
POLICIES = [
    ua.SecurityPolicyType.NoSecurity,
    ua.SecurityPolicyType.Basic256Sha256_Sign,
    ua.SecurityPolicyType.Basic256Sha256_SignAndEncrypt,
    ua.SecurityPolicyType.Aes128Sha256RsaOaep_Sign,
    ua.SecurityPolicyType.Aes128Sha256RsaOaep_SignAndEncrypt,
    ua.SecurityPolicyType.Aes256Sha256RsaPss_Sign,
    ua.SecurityPolicyType.Aes256Sha256RsaPss_SignAndEncrypt,
]


class Users(UserManager):
    """Who may sign in: anybody without a name, the operator with his password, a known certificate."""

    NAME, PASSWORD = "operator", "Riverside-4411"

    def __init__(self) -> None:
        self.certificates: set[bytes] = set()
        self.seen: list[str] = []

    def get_user(
        self, iserver: Any, username: str | None = None, password: str | None = None, certificate: Any = None
    ) -> User | None:
        """Return the user, or None to refuse him."""
        if username is not None:
            known = (username, password) == (self.NAME, self.PASSWORD)
            self.seen.append(username)
            return User(role=UserRole.User, name=username) if known else None
        if certificate is not None and bytes(certificate) in self.certificates:
            self.seen.append("certificate")
        return User(role=UserRole.User)


class OpcUaServer:
    """asyncua's server in a thread of its own: its start costs seconds, so all tests share one."""

    NAMESPACE = "urn:test:device"

    def __init__(self) -> None:
        self.loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self.loop.run_forever, name="opcua-server")
        self.server: Server
        self.port = 0
        self.users = Users()
        self.certificate: x509.Certificate

    def run(self, work: Coroutine[Any, Any, T]) -> T:
        """Do something in the server's loop, from another thread."""
        return asyncio.run_coroutine_threadsafe(work, self.loop).result(60)

    def __enter__(self) -> OpcUaServer:
        self._thread.start()
        self.run(self._start())
        return self

    def __exit__(self, *_error: object) -> None:
        self.run(self._stop())
        self.loop.call_soon_threadsafe(self.loop.stop)
        self._thread.join()
        self.loop.close()

    async def _stop(self) -> None:
        await self.server.stop()
        # Sessions and subscriptions of clients that were cut keep their loops; nobody needs them now.
        left = asyncio.all_tasks() - {asyncio.current_task()}
        for task in left:
            task.cancel()
        await asyncio.gather(*left, return_exceptions=True)

    async def _start(self) -> None:
        self.server = Server(user_manager=self.users)
        await self.server.init()
        self.server.set_endpoint("opc.tcp://127.0.0.1:0/")
        self.server.set_security_policy(POLICIES)
        await self.server.set_application_uri("urn:test:server")
        self.certificate, key = pair("urn:test:server")
        await self.server.load_certificate(self.certificate.public_bytes(serialization.Encoding.DER))
        await self.server.load_private_key(key)
        # Something stands before our namespace, so that its index is not the one a profile might assume.
        await self.server.register_namespace("urn:test:other")
        self.index = await self.server.register_namespace(self.NAMESPACE)
        await self.server.start()
        listener: Any = self.server.bserver
        self.port = listener.port
        await self.reset()

    async def renew_certificate(self) -> None:
        """Show another certificate from now on, as after a server was set up anew."""
        certificate, data = pair("urn:test:server")
        await self.show_certificate(certificate, serialization.load_der_private_key(data, None))

    async def show_certificate(self, certificate: x509.Certificate, key: Any) -> None:
        """Show this one from now on."""
        self.certificate = certificate
        for endpoint in self.server.iserver.endpoints:
            endpoint.ServerCertificate = self.certificate.public_bytes(serialization.Encoding.DER)
        self.server.iserver.certificate, self.server.iserver.private_key = self.certificate, key
        listener: Any = self.server.bserver
        factory: Any = SecurityPolicyFactory
        listener.set_policies(
            [
                factory(policy, mode, self.certificate, key)
                for policy, mode, _ in (SECURITY_POLICY_TYPE_MAP[one] for one in POLICIES)
            ]
        )

    def node_id(self, name: str) -> ua.NodeId:
        """Return the id `s=name` in our namespace."""
        return ua.NodeId.from_string(f"ns={self.index};s={name}")

    async def variable(self, name: str, value: object, kind: ua.VariantType, writable: bool = False) -> None:
        """Add or set a variable `s=name`."""
        nodeid = self.node_id(name)
        node = self.server.get_node(nodeid)
        try:
            await node.write_value(ua.DataValue(ua.Variant(value, kind)))
        except UaError:
            node = await self.server.nodes.objects.add_variable(nodeid, name, value, varianttype=kind)
            if writable:
                await node.set_writable()

    async def write(self, name: str, data: ua.DataValue) -> None:
        """Let a variable show a value with its own status and times."""
        await self.server.write_attribute_value(self.node_id(name), data)

    async def reset(self) -> None:
        """Set the variables of the contract's device."""
        await self.variable("P1.Level", 2.5, ua.VariantType.Double, writable=True)
        await self.variable("P1.Count", -205, ua.VariantType.Int16, writable=True)
        await self.variable("P1.Running", True, ua.VariantType.Boolean, writable=True)
        await self.variable("P1.Label", "PUMP-1", ua.VariantType.String, writable=True)
        await self.variable("P1.Fixed", 9.0, ua.VariantType.Float)


def pair(uri: str, days: int = 30) -> tuple[x509.Certificate, bytes]:
    """Return a self-signed certificate and its key (DER)."""
    key = generate_private_key()
    certificate = generate_self_signed_app_certificate(
        key, "test", {}, [x509.UniformResourceIdentifier(uri)], [ExtendedKeyUsageOID.SERVER_AUTH], days
    )
    return certificate, key.private_bytes(
        serialization.Encoding.DER, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )


class OpcUaHarness(Harness):
    """The shared asyncua server."""

    protocol = "opcua"
    shares = "opcua_server"
    polled = False
    expected: ClassVar = {"level": 2.5, "count": -205.0, "running": 1.0, "label": "PUMP-1", "fixed": 9.0}
    ghosts: ClassVar = {"ghost", "stranger"}
    writes: ClassVar = (("level", 1.5), ("count", 17.0), ("running", 0.0), ("label", "P2"))
    refused: ClassVar = (
        ("count", 40000.0), ("count", 1.5), ("running", 2.0), ("level", "high"), ("level", float("inf")),
        ("fixed", 1.0), ("ghost", 1.0), ("stranger", 1.0),
    )  # fmt: skip

    def __init__(self, server: OpcUaServer) -> None:
        self.server = server

    async def start(self) -> int:
        await asyncio.to_thread(self.server.run, self.server.reset())
        return self.server.port

    async def stop(self) -> None:
        """Leave the server to the next test."""

    def devices(self) -> tuple[BoundDevice, ...]:
        def node(name: str, namespace: str = OpcUaServer.NAMESPACE) -> dict[str, str]:
            return {"namespace": namespace, "node": f"s={{device}}.{name}"}

        pump = profile(
            "opcua",
            [
                {"key": "level", "scale": 0.1, "writable": True, "opcua": node("Level")},
                {"key": "count", "type": "i16", "writable": True, "opcua": node("Count")},
                {"key": "running", "type": "bool", "writable": True, "opcua": node("Running")},
                {"key": "ghost", "opcua": node("Ghost")},
                {"key": "stranger", "opcua": node("Level", "urn:test:nowhere")},
                {"key": "label", "type": "text", "writable": True, "opcua": node("Label")},
                {"key": "fixed", "type": "f32", "opcua": node("Fixed")},
            ],
        )
        return (bind(pump, {"device": "P1"}),)

    def settings(self, port: int) -> dict[str, Any]:
        return {"url": f"opc.tcp://127.0.0.1:{port}/"}
