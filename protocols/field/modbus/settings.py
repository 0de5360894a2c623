"""What a technician writes about a Modbus line and about a device on it."""

from __future__ import annotations

import ipaddress
import re
from pathlib import Path
from typing import Any, Final, Literal, get_args
from urllib.parse import urlsplit

from pydantic import Field, ModelWrapValidatorHandler, ValidationError, model_validator
from pydantic_core import InitErrorDetails

from protocols.model.strict import Strict

Transport = Literal["tcp", "rtu", "ascii", "rtu-over-tcp", "tls", "udp", "dial-in"]
Parity = Literal["none", "even", "odd"]

PORTS: Final[dict[Transport, int]] = {"tcp": 502, "udp": 502, "tls": 802, "rtu-over-tcp": 502}
"""Registered with IANA: 502 (mbap), 802 (mbap-s). Serial servers and DTUs have ports of their own."""
SERIAL: Final = ("rtu", "ascii")
"""The transports of a serial port."""
_NETWORK: Final = frozenset({"host", "port"})
_PORT: Final = frozenset({"device", "baud", "parity", "stop_bits", "data_bits", "echo"})
_OWN: Final[dict[Transport, frozenset[str]]] = {
    "tcp": _NETWORK,
    "udp": _NETWORK,
    "rtu-over-tcp": _NETWORK,
    "tls": _NETWORK | {"ca_file", "certificate", "key", "server_name", "check_host"},
    "rtu": _PORT,
    "ascii": _PORT,
    "dial-in": _NETWORK | {"registration", "remote", "heartbeat", "wait_s", "frames"},
}
"""The settings that belong to a transport; all others but the quirks are mistakes there."""
_NEEDED: Final[dict[str, tuple[str, ...]]] = {
    "tcp": ("host",), "udp": ("host",), "rtu-over-tcp": ("host",), "tls": ("host",),
    "rtu": ("device",), "ascii": ("device",), "dial-in": ("host", "port"),
}  # fmt: skip
_QUIRKS: Final = frozenset(
    {"transport", "pause_after_connect_ms", "pause_between_requests_ms", "one_request_per_connection"}
)


class ModbusSettings(Strict):
    """How a Modbus line is reached. All devices of the connection share it, and wait for one another."""

    transport: Transport = Field(
        default="tcp", description="tcp, rtu, ascii, rtu-over-tcp, tls, udp or dial-in"
    )
    host: str | None = Field(
        default=None,
        min_length=1,
        description="host of the device; with dial-in the own address to listen on",
    )
    port: int | None = Field(default=None, ge=1, le=65535, description="502 where not given, 802 with TLS")

    device: str | None = Field(
        default=None,
        min_length=1,
        description="serial port, best by its id: /dev/serial/by-id/usb-…; or rfc2217://HOST:PORT",
    )
    baud: int = Field(default=9600, ge=300, le=4_000_000)
    parity: Parity = "none"
    stop_bits: Literal[1, 2] = 1
    data_bits: Literal[7, 8] = 8
    echo: bool = Field(default=False, description="the adapter hears its own questions; take them out")

    ca_file: Path | None = Field(default=None, description="PEM file of the authority that signed the device")
    certificate: Path | None = Field(default=None, description="PEM file of the gateway's own certificate")
    key: Path | None = Field(default=None, description="PEM file of the key of `certificate`")
    server_name: str | None = Field(
        default=None, min_length=1, description="name in the device's certificate, where it is not `host`"
    )
    check_host: bool = True

    registration: str | None = Field(
        default=None, min_length=1, description="first bytes the DTU sends: text, or `hex:01 02 …`"
    )
    remote: str | None = Field(default=None, description="address the DTU calls from, or a network")
    heartbeat: str | None = Field(
        default=None, min_length=1, description="bytes the DTU sends now and then: text, or `hex:FE`"
    )
    wait_s: float = Field(default=60.0, gt=0, le=3600, description="how long a DTU may take to dial in")
    frames: Literal["rtu", "tcp"] = "rtu"

    pause_after_connect_ms: int = Field(default=0, ge=0, le=60_000)
    pause_between_requests_ms: int = Field(default=0, ge=0, le=60_000)
    one_request_per_connection: bool = False

    @model_validator(mode="wrap")
    @classmethod
    def _needed(cls, data: Any, handler: ModelWrapValidatorHandler[ModbusSettings]) -> ModbusSettings:
        """Tell what a transport needs and does not have beside everything else that is wrong."""
        wrong: list[InitErrorDetails] = []
        made = None
        try:
            made = handler(data)
        except ValidationError as error:
            wrong = [
                InitErrorDetails(
                    type=each["type"], loc=each["loc"], input=each["input"], ctx=each.get("ctx", {})
                )
                for each in error.errors(include_url=False)
            ]
        if isinstance(data, dict):
            needed = _NEEDED.get(data.get("transport", "tcp"), ())
            missing = [name for name in needed if name not in data]
            wrong += [InitErrorDetails(type="missing", loc=(name,), input=data) for name in missing]
        if made is None or wrong:
            raise ValidationError.from_exception_data(cls.__name__, wrong)
        return made

    @model_validator(mode="after")
    def _whole(self) -> ModbusSettings:
        own = _OWN[self.transport]
        for name in sorted(self.model_fields_set - own - _QUIRKS):
            homes = " or ".join(f"`transport: {kind}`" for kind in get_args(Transport) if name in _OWN[kind])
            raise ValueError(
                f"{name!r} does not belong to transport {self.transport!r}; remove it, or write {homes}"
            )
        if self.data_bits == 7 and self.transport != "ascii":
            raise ValueError(
                "Modbus RTU needs 8 data bits, 7 are of Modbus ASCII; write `data_bits: 8`, "
                "or `transport: ascii`"
            )
        if self.device is not None and "://" in self.device:
            _at_server(self.device)
        if self.transport == "dial-in":
            self._dial_in()
        if self.one_request_per_connection and self.transport in (*SERIAL, "udp", "dial-in"):
            raise ValueError(
                f"transport {self.transport!r} cannot connect anew for each request; "
                "remove `one_request_per_connection`"
            )
        if (self.certificate is None) != (self.key is None):
            missing = "key" if self.key is None else "certificate"
            raise ValueError(f"`certificate` and `key` go together; add `{missing}: FILE.pem`")
        return self

    def _dial_in(self) -> None:
        for name in ("registration", "heartbeat"):
            text = getattr(self, name)
            if text is not None:
                spelt(text, name)
        if self.remote is not None:
            try:
                ipaddress.ip_network(self.remote, strict=False)
            except ValueError:
                raise ValueError(
                    f"remote {self.remote!r} is no address; write it like 192.0.2.7 or 192.0.2.0/24"
                ) from None

    @property
    def real_port(self) -> int:
        """The port, by its transport where it is not given."""
        return self.port or PORTS.get(self.transport, 502)

    @property
    def at_server(self) -> bool:
        """Whether the serial port is one of a serial server (RFC 2217)."""
        return self.device is not None and self.device.startswith("rfc2217://")

    @property
    def occupies(self) -> str:
        """What only one connection can have: a serial port, or a DTU that dials in; "" where it is shared."""
        if self.transport in SERIAL:
            return f"serial port {self.device}"
        if self.transport == "dial-in":
            who = self.registration or self.remote or "any DTU"
            return f"{who} at {self.host}:{self.real_port}"
        return ""

    @property
    def place(self) -> dict[str, Any]:
        """The settings that a technician wrote, as they are written again in a suggestion."""
        return self.model_dump(mode="json", exclude_unset=True)


class ModbusParams(Strict):
    """Which unit the device is; 0 and 255 are usual for one without a serial line behind it."""

    unit: int = Field(ge=0, le=255)


def _at_server(device: str) -> None:
    try:
        place = urlsplit(device)
        whole = (
            place.scheme == "rfc2217" and place.hostname and place.port and not (place.path or place.query)
        )
    except ValueError:
        whole = False
    if not whole:
        raise ValueError(
            f"device {device!r} is no port of a serial server; write it like rfc2217://192.0.2.13:4001, "
            "or `transport: rtu-over-tcp` with `host` and `port` for one in transparent mode"
        )


def spelt(text: str, name: str) -> bytes:
    """Return the bytes of `text`, or of `hex:…`. Raises ValueError with the repair after a semicolon."""
    if not text.startswith("hex:"):
        return text.encode()
    digits = re.sub(r"[\s:-]", "", text.removeprefix("hex:"))
    try:
        found = bytes.fromhex(digits)
    except ValueError:
        found = b""
    if not found:
        raise ValueError(f"{name} {text!r} is no hexadecimal; write it like `hex:FE 01`")
    return found
