"""From settings to a signed-in client: endpoint, trust, own identity, user; each refusal in words.

    GetEndpoints (no security) ─→ the endpoint of our policy and mode ─→ its certificate, judged by the trust
    list ─→ secure channel with our own certificate ─→ CreateSession ─→ ActivateSession as the user

Nothing is negotiated downwards: a server that does not offer what the file asks for is not used. Host and
port are always the technician's own, whatever address the endpoint itself tells.
"""

from __future__ import annotations

import asyncio
import os
from collections.abc import Sequence
from typing import Any, Final

from asyncua import ua
from asyncua.crypto import security_policies
from asyncua.ua.status_codes import StatusCodes
from asyncua.ua.uaerrors import UaError
from cryptography import x509

from protocols.errors import ConnectionLost
from protocols.field.filling import read_password
from protocols.field.opcua import own as owned
from protocols.field.opcua.answers import Unreadable, readable
from protocols.field.opcua.certificates import chain, der, read_certificate, read_key
from protocols.field.opcua.client import FieldClient
from protocols.field.opcua.own import Identity
from protocols.field.opcua.settings import OpcUaSettings
from protocols.field.opcua.trust import TrustList
from protocols.field.opcua.words import refusal
from protocols.model.clock import Clock, now_us
from protocols.model.quality import Quality

CONNECT_TIMEOUT_S: Final = 30.0
"""For some answers, each of which may take `client.ANSWER_S`; a silent server is left after the first."""
_LEAST_MS: Final = 1000
"""A server that lets a session or a channel live shorter cannot be used."""
_POLICIES: Final[dict[str, type[security_policies.SecurityPolicy]]] = {
    "Basic256Sha256": security_policies.SecurityPolicyBasic256Sha256,
    "Aes128_Sha256_RsaOaep": security_policies.SecurityPolicyAes128Sha256RsaOaep,
    "Aes256_Sha256_RsaPss": security_policies.SecurityPolicyAes256Sha256RsaPss,
}
_MODES: Final = {
    "None": ua.MessageSecurityMode.None_,
    "Sign": ua.MessageSecurityMode.Sign,
    "SignAndEncrypt": ua.MessageSecurityMode.SignAndEncrypt,
}
_REFUSES_US: Final = frozenset(
    {
        StatusCodes.BadSecurityChecksFailed, StatusCodes.BadCertificateUntrusted,
        StatusCodes.BadCertificateInvalid, StatusCodes.BadCertificateChainIncomplete,
        StatusCodes.BadCertificateRevoked, StatusCodes.BadConnectionClosed,
        StatusCodes.BadSecureChannelClosed,
    }
)  # fmt: skip
"""What a server may say that does not know our certificate; the words are meant to tell little."""


async def connect(settings: OpcUaSettings, clock: Clock = now_us) -> FieldClient:
    """Return a client with an active session. Raises ConnectionLost."""
    url = settings.url
    if not settings.secured:
        return await _sign_in(settings, clock, None, None)
    server = await meet(settings, clock)
    for identity in await identities(settings, clock):
        try:
            return await _sign_in(settings, clock, identity, server)
        except ConnectionLost as error:
            refused = error
            if error.quality not in _REFUSES_US and error.quality != Quality.BAD_NO_COMMUNICATION:
                break
    raise ConnectionLost(f"{refused}{_introduce(settings, url, refused)}", refused.quality)


async def identities(settings: OpcUaSettings, clock: Clock = now_us) -> tuple[Identity, ...]:
    """Return the certificates that this gateway may show, the best first. Raises ConnectionLost."""
    if settings.certificate is not None and settings.private_key is not None:
        return (owned.given(settings.certificate, settings.private_key),)
    if settings.pki_dir is None:
        raise ConnectionLost(
            f"OPC UA {settings.url}: there is no folder for certificates; write `pki_dir:`, or run this with "
            "the gateway file",
            Quality.BAD_CONFIGURATION_ERROR,
        )
    # Making a key takes a second on a small machine.
    return await asyncio.to_thread(owned.own, settings.pki_dir, clock())


async def endpoints(url: str) -> list[Any]:
    """Return what a server offers, asked without security (OPC 10000-4, 5.5.4). Raises ConnectionLost."""
    client = FieldClient(url)
    try:
        async with asyncio.timeout(CONNECT_TIMEOUT_S):
            with readable():
                return list(await client.connect_and_get_server_endpoints())
    except (OSError, TimeoutError, UaError) as error:
        raise refusal(url, error) from error


async def meet(settings: OpcUaSettings, clock: Clock = now_us) -> x509.Certificate:
    """Return the certificate of the endpoint that the file asks for, if a person trusts it.

    Raises ConnectionLost; one that is not trusted has then been kept for a person to look at.
    """
    endpoint, shown = endpoint_of(settings, await endpoints(settings.url))
    _trusted(settings, shown, _uri(endpoint.Server), clock)
    return shown[0]


def endpoint_of(settings: OpcUaSettings, offered: Sequence[Any]) -> tuple[Any, list[x509.Certificate]]:
    """Return the wanted one of some endpoints, with its chain of certificates. Raises ConnectionLost."""
    policy, mode = _POLICIES[settings.security_policy], _MODES[settings.security_mode]
    for endpoint in offered:
        if endpoint.SecurityPolicyUri == policy.URI and endpoint.SecurityMode == mode:
            try:
                return endpoint, chain(endpoint.ServerCertificate or b"")
            except ValueError as error:
                raise ConnectionLost(
                    f"OPC UA {settings.url}: the server's certificate cannot be read ({error}); "
                    "make it a new one at the server",
                    Quality.BAD_SECURITY_CHECKS_FAILED,
                ) from error
    ways = sorted({endpoint_name(endpoint) for endpoint in offered})
    raise ConnectionLost(
        f"OPC UA {settings.url}: the server does not offer "
        f"{settings.security_policy}/{settings.security_mode}; it offers {', '.join(ways) or 'nothing'}; "
        "write one of these as security_policy and security_mode, or switch ours on at the server",
        Quality.BAD_SECURITY_POLICY_REJECTED,
    )


def endpoint_name(endpoint: Any) -> str:
    """Return policy and mode of an endpoint, as `Basic256Sha256/Sign`."""
    uri = str(endpoint.SecurityPolicyUri)
    mode = int(endpoint.SecurityMode)
    names = {int(value): name for name, value in _MODES.items()}
    return f"{uri.rpartition('#')[2] or uri}/{names.get(mode, mode)}"


def _uri(server: Any) -> str:
    """Return what a server calls itself; "" where it does not say."""
    return str(getattr(server, "ApplicationUri", None) or "")


def _trusted(settings: OpcUaSettings, shown: list[x509.Certificate], uri: str, clock: Clock) -> None:
    if settings.pki_dir is None:
        raise ConnectionLost(
            f"OPC UA {settings.url}: there is no trust list; write `pki_dir:`, or give the gateway file",
            Quality.BAD_CONFIGURATION_ERROR,
        )
    TrustList(settings.pki_dir).judge(
        settings.url, shown, clock(), uri=uri, accept_expired=settings.accept_expired
    )


async def _sign_in(
    settings: OpcUaSettings, clock: Clock, identity: Identity | None, server: x509.Certificate | None
) -> FieldClient:
    client = FieldClient(settings.url, plain_password=settings.plain_password)
    _user(client, settings)
    try:
        async with asyncio.timeout(CONNECT_TIMEOUT_S):
            if identity is not None and server is not None:
                client.application_uri = identity.uri
                with readable():
                    await client.set_security(
                        _POLICIES[settings.security_policy],
                        der(identity.certificate),
                        identity.key_der,
                        server_certificate=der(server),
                        mode=_MODES[settings.security_mode],
                    )
            elif settings.user_certificate is not None or (
                settings.username is not None and not settings.plain_password
            ):
                # The certificate that encrypts a password, or is signed for, must be a trusted one as well.
                async def judge(certificate: x509.Certificate, server: Any) -> None:
                    _trusted(settings, [certificate], _uri(server), clock)

                client.certificate_validator = judge
            with readable():
                await client.connect()
                await _bearable(client)
    except (OSError, TimeoutError, UaError) as error:
        raise refusal(settings.url, error) from error
    return client


async def _bearable(client: FieldClient) -> None:
    """End a session or channel that would have to be renewed all the time, and raise Unreadable."""
    for name, wanted in (("session", client.session_timeout), ("channel", client.secure_channel_timeout)):
        if not wanted >= _LEAST_MS:
            await client.disconnect()
            raise Unreadable(f"a {name} of {wanted} ms; raise its timeout at the server")


def _user(client: FieldClient, settings: OpcUaSettings) -> None:
    if settings.username is not None:
        client.set_user(settings.username)
        client.set_password(_password(settings))
    if settings.user_certificate is not None and settings.user_key is not None:
        client.user_certificate = read_certificate(settings.user_certificate, "user_certificate")
        client.user_private_key = read_key(settings.user_key, "user_key")


def _password(settings: OpcUaSettings) -> str:
    if settings.password_env is None:
        return read_password(settings.password_file) or ""
    password = os.environ.get(settings.password_env)
    if password is None:
        raise ConnectionLost(
            f"password_env: there is no environment variable {settings.password_env}; "
            "set it for the gateway's service, and start that again",
            Quality.BAD_CONFIGURATION_ERROR,
        )
    return password


def _introduce(settings: OpcUaSettings, url: str, refused: ConnectionLost) -> str:
    """Return what to do where the server may not know us; nothing where that is not what it says."""
    if refused.quality not in _REFUSES_US and refused.quality != Quality.BAD_NO_COMMUNICATION:
        return ""
    if settings.certificate is not None:
        place = str(settings.certificate)
    else:
        place = f"{settings.pki_dir}/own/certificate.der"
    return (
        f". A server that does not trust this gateway's certificate answers like this: let its keeper trust "
        f"{place} there"
    )
