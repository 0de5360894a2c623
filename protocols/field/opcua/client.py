"""asyncua's client with our decisions: who publishes, and when a password may leave this machine."""

from __future__ import annotations

import dataclasses
import logging
from typing import Any, Final

from asyncua import ua
from asyncua.client.client import Client
from asyncua.common.node import Node
from asyncua.common.shortcuts import Shortcuts
from asyncua.crypto.security_policies import SecurityPolicyNone
from asyncua.ua.attribute_ids import AttributeIds
from asyncua.ua.object_ids import ObjectIds

from protocols.errors import ConnectionLost
from protocols.field.opcua.answers import FieldSession, Unreadable
from protocols.model.quality import Quality

# asyncua logs what it also raises or answers; the session logs it once, from what is raised here.
logging.getLogger("asyncua").setLevel(logging.CRITICAL)

ANSWER_S: Final = 4.0
"""For each answer, where nobody is more patient: see `answers.patient`."""
WATCHDOG_S: Final = 5.0
"""asyncua reads the server's state this often, and waits as long for it: a dead peer is seen in 10 s."""
SESSION_MS: Final = 60_000
"""A small controller has ten sessions; one that a power cut left behind must not stay for an hour."""


class Pulse(Node):
    """The state of the server, which asyncua's watchdog reads: any answer shows that the server lives.

    A user who may not read it, or a server without such a node, is no dead connection.
    """

    async def read_value(self) -> Any:
        """Return the state, None where the server does not tell it. Raises UaError, OSError, TimeoutError."""
        data = await self.read_attribute(AttributeIds.Value, raise_on_bad_status=False)
        return None if data.Value is None else data.Value.Value


class FieldClient(Client):
    """A connection to one server. `plain_password`: a password may be sent though nothing encrypts it."""

    def __init__(self, url: str, *, plain_password: bool = False) -> None:
        super().__init__(url, timeout=ANSWER_S, watchdog_intervall=WATCHDOG_S)
        self.uaclient.session = self.field_session = FieldSession(self.uaclient)
        self.nodes = Shortcuts(self.field_session)
        self.nodes.server_state = Pulse(self.field_session, ObjectIds.Server_ServerStatus_State)
        self.name = self.description = "CityNerve gateway"
        self.product_uri = "urn:citynerve:gateway"
        self.session_timeout = SESSION_MS
        self._plain_password = plain_password

    async def get_namespace_array(self) -> list[str]:
        """Return the URIs of the server's namespaces. Raises UaError, also for what is no list of texts."""
        found = await super().get_namespace_array()
        if not isinstance(found, list) or not all(isinstance(one, str | None) for one in found):
            raise Unreadable(f"{type(found).__name__} as list of namespaces")
        return [one or "" for one in found]

    def server_policy(self, token_type: ua.UserTokenType) -> ua.UserTokenPolicy:
        """Return how the server wants this kind of user shown, an encrypted way before one in clear.

        Raises ConnectionLost where it takes no such user, or wants a password in clear.
        """
        offered = [policy for policy in self._policy_ids if policy.TokenType == token_type]
        kind = _KINDS.get(token_type, token_type.name)
        if not offered:
            taken = sorted({_KINDS.get(one.TokenType, one.TokenType.name) for one in self._policy_ids})
            raise ConnectionLost(
                f"OPC UA {self.server_url.geturl()}: the server takes no {kind}; it takes: "
                f"{', '.join(taken) or 'nobody'}. Write `username:` or `user_certificate:` accordingly",
                Quality.BAD_IDENTITY_TOKEN_REJECTED,
            )
        # An empty URI means the policy of the endpoint itself (OPC 10000-4, 7.41).
        filled = [
            policy
            if policy.SecurityPolicyUri
            else dataclasses.replace(policy, SecurityPolicyUri=self.security_policy.URI)
            for policy in offered
        ]
        chosen = next((one for one in filled if one.SecurityPolicyUri != SecurityPolicyNone.URI), filled[0])
        if (
            token_type == ua.UserTokenType.UserName
            and chosen.SecurityPolicyUri == SecurityPolicyNone.URI
            and self.security_policy.Mode != ua.MessageSecurityMode.SignAndEncrypt
            and not self._plain_password
        ):
            raise ConnectionLost(
                f"OPC UA {self.server_url.geturl()}: the password was not sent, as nothing would encrypt it; "
                "write `security_policy: Basic256Sha256`, or `plain_password: true` on a line of your own",
                Quality.BAD_SECURITY_CHECKS_FAILED,
            )
        return chosen


_KINDS: Final = {
    ua.UserTokenType.Anonymous: "anonymous user",
    ua.UserTokenType.UserName: "user name",
    ua.UserTokenType.Certificate: "user certificate",
    ua.UserTokenType.IssuedToken: "issued token",
}
