"""What every connection to a broker needs: where it is, how it is secured, who signs in, and in which words
it fails. MQTT and Sparkplug B share it.
"""

from __future__ import annotations

import asyncio
import logging
import os
import ssl
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final, Literal

import aiomqtt
from paho.mqtt.client import MQTT_CLEAN_START_FIRST_ONLY
from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.properties import Properties
from pydantic import Field, model_validator

from protocols.errors import ConnectionLost
from protocols.field.filling import read_password
from protocols.field.mqtt.reasons import TAKEN_OVER, UNSPECIFIED, code_of, explain, words
from protocols.model.quality import Quality
from protocols.model.strict import Strict

ANSWER_S: Final = 5.0
"""A broker that does not answer a connect, subscribe or publish for so long counts as gone."""
QUEUE: Final = 20_000
"""Messages that wait for the gateway; more than that are dropped, the newest first, with a log line."""
MOST_BYTES: Final = 4 * 1024 * 1024
"""A larger message is no telegram of a device: it is not looked into, and with MQTT 5 not sent to us."""
_PORT: Final = 1883
_TLS_PORT: Final = 8883


FILES: Final = ("ca_file", "cert_file", "key_file", "key_password_file")
"""Settings whose files must be there when a gateway file is checked."""


class BrokerSettings(Strict):
    """Where the broker is, and how to sign in. Without `client_id` the broker names each connect."""

    host: str = Field(min_length=1)
    port: int = Field(default=_PORT, ge=1, le=65535, description="1883, with tls 8883")
    version: Literal["3.1.1", "5"] = "3.1.1"
    username: str | None = None
    password_file: Path | None = Field(default=None, description="file whose first line is the password")
    password_env: str | None = Field(
        default=None, min_length=1, description="environment variable that holds the password"
    )
    client_id: str | None = Field(
        default=None, min_length=1, max_length=256, description="unique at the broker"
    )
    keep_alive_s: int = Field(default=30, ge=5, le=3600)
    tls: bool = False
    ca_file: Path | None = Field(default=None, description="PEM file of the authority that signed the broker")
    cert_file: Path | None = Field(default=None, description="PEM file of the gateway's own certificate")
    key_file: Path | None = Field(default=None, description="PEM file of its private key")
    key_password_file: Path | None = Field(default=None, description="file whose first line opens the key")
    check_name: bool = Field(
        default=True, description="false: the certificate may name another host; only with ca_file"
    )

    @model_validator(mode="before")
    @classmethod
    def _secure_port(cls, data: Any) -> Any:
        if isinstance(data, dict) and data.get("tls") is True and "port" not in data:
            return {**data, "port": _TLS_PORT}
        return data

    @model_validator(mode="after")
    def _consistent(self) -> BrokerSettings:
        files = {"ca_file", "cert_file", "key_file", "key_password_file"}
        given = sorted(name for name in files if getattr(self, name) is not None)
        if given and not self.tls:
            raise ValueError(f"{given[0]} has no use without TLS; add `tls: true`, or remove it")
        if (self.cert_file is None) != (self.key_file is None):
            raise ValueError("a client certificate needs its key; give both `cert_file` and `key_file`")
        if self.key_password_file is not None and self.key_file is None:
            raise ValueError("key_password_file opens no key; give `key_file`, or remove it")
        if not self.check_name and self.ca_file is None:
            raise ValueError(
                "check_name: false would believe any public certificate; give the broker's own `ca_file`"
            )
        if self.password_file is not None and self.password_env is not None:
            raise ValueError("the password is given twice; keep `password_file` or `password_env`")
        if (self.password_file or self.password_env) and self.username is None:
            raise ValueError("a password needs its user; give `username`")
        return self


def where(settings: BrokerSettings) -> str:
    """Return the broker's name in errors."""
    return f"MQTT broker {settings.host}:{settings.port}"


def password(settings: BrokerSettings) -> str | None:
    """Return the password now, from its file or variable. Raises ConnectionLost, which never shows it."""
    if settings.password_env is None:
        return read_password(settings.password_file)
    found = os.environ.get(settings.password_env)
    if found is None:
        raise ConnectionLost(
            f"{where(settings)}: the environment variable {settings.password_env} is not set; "
            "set it for the gateway's service",
            Quality.BAD_CONFIGURATION_ERROR,
        )
    return found


def tls_context(settings: BrokerSettings) -> ssl.SSLContext | None:
    """Return how to secure the connection; None for plain TCP. Raises ConnectionLost, naming the file."""
    if not settings.tls:
        return None
    at = settings.ca_file
    try:
        context = ssl.create_default_context(cafile=None if at is None else str(at))
        context.minimum_version = ssl.TLSVersion.TLSv1_2
        context.check_hostname = settings.check_name
        if settings.cert_file is not None:
            at = settings.cert_file
            # Without this OpenSSL would ask on the terminal for the password of an encrypted key.
            secret = read_password(settings.key_password_file) or ""
            context.load_cert_chain(str(settings.cert_file), str(settings.key_file), lambda: secret)
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or "it is no PEM file that can be used"
        raise ConnectionLost(
            f"{where(settings)}: {at} cannot be used ({reason}); check it, and key_password_file",
            Quality.BAD_CONFIGURATION_ERROR,
        ) from error
    return context


class _SocketErrors(logging.Handler):
    """Keeps what last went wrong with the socket: paho writes it into its log and tells nobody else."""

    def __init__(self) -> None:
        super().__init__(logging.ERROR)
        self.last: OSError | None = None

    def emit(self, record: logging.LogRecord) -> None:
        """Keep the error of a record."""
        for one in record.args or ():
            if isinstance(one, OSError):
                self.last = one


class Line(aiomqtt.Client):
    """aiomqtt's client, of whose waiting messages many can be taken at once.

    Its own iterator makes a task for each message: by itself that costs as much as a message's decoding.
    """

    def __init__(self, *arguments: Any, **options: Any) -> None:
        self.inbox: asyncio.Queue[aiomqtt.Message]

        def queue(maxsize: int = 0) -> asyncio.Queue[aiomqtt.Message]:
            self.inbox = asyncio.Queue(maxsize)
            return self.inbox

        logger = logging.Logger("mqtt", logging.ERROR)
        self._errors = _SocketErrors()
        logger.addHandler(self._errors)
        super().__init__(*arguments, queue_type=queue, logger=logger, **options)  # type: ignore[arg-type]

    @property
    def socket_error(self) -> OSError | None:
        """What last went wrong with the socket, such as a broker's refusal of our certificate (TLS 1.3)."""
        return self._errors.last

    def waiting(self) -> Iterator[aiomqtt.Message]:
        """Take what waits now, without waiting for more."""
        while not self.inbox.empty():
            yield self.inbox.get_nowait()


async def connect(settings: BrokerSettings, *, will: aiomqtt.Will | None = None, session_s: int = 0) -> Line:
    """Connect and sign in; the caller ends it with `disconnect`. Raises ConnectionLost with the repair.

    With `session_s` the broker keeps the subscriptions, and what comes at QoS 1, while the gateway is
    away: for so many seconds in MQTT 5, as long as it likes in 3.1.1.
    """
    five = settings.version == "5"
    properties = None
    if five:
        properties = Properties(PacketTypes.CONNECT)  # type: ignore[no-untyped-call]
        properties.SessionExpiryInterval = session_s
        properties.MaximumPacketSize = MOST_BYTES + 65_536
    client = Line(
        settings.host,
        settings.port,
        protocol=aiomqtt.ProtocolVersion.V5 if five else aiomqtt.ProtocolVersion.V311,
        username=settings.username,
        password=password(settings),
        identifier=settings.client_id,
        keepalive=settings.keep_alive_s,
        timeout=ANSWER_S,
        max_queued_incoming_messages=QUEUE,
        tls_context=await asyncio.to_thread(tls_context, settings),
        will=will,
        properties=properties,
        clean_start=session_s == 0 if five else MQTT_CLEAN_START_FIRST_ONLY,
        clean_session=None if five else session_s == 0,
    )
    try:
        await client.__aenter__()
    except (aiomqtt.MqttError, OSError) as error:
        known = code_of(error) is not None
        reason, quality = explain(error if known else client.socket_error or error)
        raise ConnectionLost(f"{where(settings)} cannot be used: {reason}", quality) from error
    return client


def ended(settings: BrokerSettings, error: BaseException) -> str:
    """Return why an open connection has ended, in words.

    A broker that lets a second client of the same id in throws the first one out, and many say nothing
    of it: the two then go on for ever.
    """
    code = code_of(error)
    repair = (
        f"client id {settings.client_id!r}; if a second gateway has the same `gateway.id`, give it another "
        "one, else write a `client_id` of its own for one of the two"
    )
    if code == TAKEN_OVER and settings.client_id is not None:
        return f"another client has signed in under this gateway's {repair}"
    if code is not None and code != UNSPECIFIED:
        return words(code)
    if code is None:
        return str(error.__cause__ or error)
    if settings.client_id is None:
        return "the connection broke, or the broker closed it without a reason"
    return (
        "the connection broke, or the broker closed it without a reason; if that goes on, another client "
        f"uses this gateway's {repair}"
    )


async def disconnect(client: aiomqtt.Client) -> None:
    """Say goodbye; never raises."""
    try:
        await client.__aexit__(None, None, None)
    except (aiomqtt.MqttError, OSError):
        # The other end is gone already; there is nobody left to say goodbye to.
        return


def refusals(filters: list[str], granted: Any) -> dict[str, int]:
    """Return the filters that a SUBACK refuses, with the reason codes."""
    codes = [code if isinstance(code, int) else int(code.value) for code in granted]
    return {topic: code for topic, code in zip(filters, codes, strict=True) if code >= 0x80}


async def subscribe(client: aiomqtt.Client, at: str, filters: dict[str, int]) -> None:
    """Subscribe to filters with their QoS. Raises ConnectionLost where the broker does not let us."""
    if not filters:
        return
    granted = await client.subscribe(list(filters.items()))
    refused = refusals(list(filters), granted)
    if refused:
        raise ConnectionLost(
            f"{at} refused the subscription to {', '.join(refused)}: {words(next(iter(refused.values())))}; "
            "allow this user to read these topics",
            Quality.BAD_CONFIGURATION_ERROR,
        )
