"""Why a broker said no, or said nothing more: reason codes in a technician's words.

MQTT 5.0, 2.4 (reason codes) and MQTT 3.1.1, 3.2.2.3 (return codes of CONNACK).
"""

from __future__ import annotations

import ssl
from typing import Final

import aiomqtt
from aiomqtt.exceptions import MqttConnectError
from paho.mqtt.reasoncodes import ReasonCode

from protocols.model.quality import Quality

UNSPECIFIED: Final = 0x80
TAKEN_OVER: Final = 0x8E
_WORDS: Final[dict[int, str]] = {
    0x80: "it gives no reason",
    0x81: "it cannot read what was sent; is it an MQTT broker of this version?",
    0x82: "it says that the protocol was broken",
    0x83: "it refuses for a reason of its own",
    0x84: "it does not speak this version of MQTT; set `version` to the other one",
    0x85: "it does not accept the client id; set another `client_id`",
    0x86: "user name or password is wrong",
    0x87: "this user is not authorized; allow it at the broker",
    0x88: "the server is not available now",
    0x89: "the server is busy",
    0x8A: "this client is banned at the broker",
    0x8B: "the server is being shut down",
    0x8C: "it does not know this way of signing in",
    0x8D: "it heard nothing from this gateway for longer than the keep-alive; look at the line",
    0x8E: "another client has signed in under the same client id; give each its own `client_id`",
    0x8F: "it does not accept a topic filter",
    0x90: "it does not accept a topic name",
    0x93: "more messages were on their way than it allows",
    0x95: "a message is larger than it allows",
    0x96: "messages came faster than it allows",
    0x97: "a quota of the broker is used up",
    0x98: "the broker's administrator has ended the connection",
    0x99: "the payload does not have the format that was declared",
    0x9A: "it does not retain messages; publish without `retain`",
    0x9B: "it does not support the quality of service that was asked for",
    0x9C: "another server is to be used; ask the broker's administrator which",
    0x9D: "the server has moved; ask the broker's administrator where to",
    0x9E: "it does not support shared subscriptions",
    0x9F: "connections come faster than it allows",
    0xA1: "it does not support subscription identifiers",
    0xA2: "it does not support wildcards in subscriptions",
}
_CONNACK_311: Final[dict[int, int]] = {1: 0x84, 2: 0x85, 3: 0x88, 4: 0x86, 5: 0x87}
_SIGN_IN: Final = frozenset({0x86, 0x87, 0x8A, 0x8C})


def words(code: int) -> str:
    """Return a reason code in words; codes below 0x80 are no failures."""
    return _WORDS.get(code, f"reason code 0x{code:02X}")


def code_of(error: BaseException | None) -> int | None:
    """Return the MQTT 5 reason code behind an error, where the broker gave one."""
    while error is not None:
        if isinstance(error, aiomqtt.MqttCodeError):
            if isinstance(error.rc, ReasonCode):
                return int(error.rc.value)
            if isinstance(error, MqttConnectError) and isinstance(error.rc, int):
                return _CONNACK_311.get(error.rc)
        error = error.__cause__
    return None


def explain(error: BaseException) -> tuple[str, Quality]:
    """Return what went wrong in words with its repair, and the quality that readings get by it."""
    code = code_of(error)
    if code is not None:
        denied = Quality.BAD_USER_ACCESS_DENIED if code in _SIGN_IN else Quality.BAD_NO_COMMUNICATION
        return words(code), denied
    for one in _chain(error):
        if isinstance(one, ssl.SSLCertVerificationError):
            return (
                f"its certificate is not trusted: {one.verify_message}; give `ca_file`, or correct `host`",
                Quality.BAD_NO_COMMUNICATION,
            )
        if isinstance(one, ssl.SSLError):
            said = (one.reason or str(one)).replace("_", " ").lower()
            if "alert" in said and ("certificate" in said or "unknown ca" in said):
                return (
                    f"it does not accept this gateway's client certificate ({said}); give a `cert_file` with "
                    "its `key_file` that is valid and signed by an authority which the broker trusts",
                    Quality.BAD_SECURITY_CHECKS_FAILED,
                )
            return (
                f"TLS failed: {said}; check `tls`, the port, and the client certificate it may ask for",
                Quality.BAD_NO_COMMUNICATION,
            )
    return f"{error}; check host, port and `tls`", Quality.BAD_NO_COMMUNICATION


def _chain(error: BaseException | None) -> list[BaseException]:
    found: list[BaseException] = []
    while error is not None and error not in found:
        found.append(error)
        error = error.__cause__ or error.__context__
    return found
