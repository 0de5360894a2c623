"""ONVIF's calls: SOAP 1.2 over HTTP POST, signed in by HTTP Digest, else by WS-UsernameToken.

    POST service ─→ Envelope{Header{token?, addressing?}, Body{call}} ─→ Envelope{Body{answer | Fault}}

HTTP Digest goes first (ONVIF Core 5.9.4): the HTTP client answers its 401. A camera that refuses without a
challenge gets PasswordDigest = Base64(SHA-1(nonce + created + password)), `created` by the camera's own
clock: a token of another time is refused. Answers are strangers' XML, read as those of discovery are.
"""

from __future__ import annotations

import asyncio
import base64
import hashlib
import secrets
import uuid
from collections.abc import Sequence
from datetime import timedelta
from typing import Final
from xml.etree import ElementTree
from xml.sax.saxutils import escape

import httpx2

from protocols.errors import BadFrame, DeviceRefused, DeviceTimeout, FieldError
from protocols.field.camera.discovery import parse
from protocols.model.clock import Clock, to_datetime
from protocols.model.quality import Quality

MOST: Final = 2 * 1024 * 1024
ENVELOPE: Final = "{http://www.w3.org/2003/05/soap-envelope}"
WSA: Final = "{http://www.w3.org/2005/08/addressing}"
_NAMES: Final = (
    'xmlns:s="http://www.w3.org/2003/05/soap-envelope" xmlns:a="http://www.w3.org/2005/08/addressing" '
    'xmlns:tds="http://www.onvif.org/ver10/device/wsdl" xmlns:trt="http://www.onvif.org/ver10/media/wsdl" '
    'xmlns:tr2="http://www.onvif.org/ver20/media/wsdl" xmlns:tev="http://www.onvif.org/ver10/events/wsdl" '
    'xmlns:tptz="http://www.onvif.org/ver20/ptz/wsdl" xmlns:tt="http://www.onvif.org/ver10/schema" '
    'xmlns:wsnt="http://docs.oasis-open.org/wsn/b-2"'
)
_WSS: Final = "http://docs.oasis-open.org/wss/2004/01/oasis-200401-wss-"
_TOKEN: Final = (
    f'<w:Security s:mustUnderstand="1" xmlns:w="{_WSS}wssecurity-secext-1.0.xsd" '
    f'xmlns:u="{_WSS}wssecurity-utility-1.0.xsd"><w:UsernameToken><w:Username>{{name}}</w:Username>'
    '<w:Password Type="http://docs.oasis-open.org/wss/2004/01/oasis-200401-wss-username-token-profile-1.0'
    '#PasswordDigest">{digest}</w:Password><w:Nonce EncodingType="http://docs.oasis-open.org/wss/2004/01/'
    'oasis-200401-wss-soap-message-security-1.0#Base64Binary">{nonce}</w:Nonce><u:Created>{created}</u:Created>'
    "</w:UsernameToken></w:Security>"
)


class Refused(DeviceRefused):
    """The camera answered with a SOAP fault, or with a status that is none. subcode: such as
    NotAuthorized.
    """

    def __init__(self, message: str, quality: int, subcode: str = "") -> None:
        self.subcode = subcode
        super().__init__(message, quality)


def password_digest(nonce: bytes, created: str, password: str) -> str:
    """Return the digest of a UsernameToken (WS-Security UsernameToken Profile 1.0 section 3.1)."""
    hashed = hashlib.sha1(nonce + created.encode() + password.encode(), usedforsecurity=False)
    return base64.b64encode(hashed.digest()).decode()


class Soap:
    """Calls the services of one camera. `offset_s`: its clock minus ours, once that is known."""

    def __init__(
        self,
        client: httpx2.AsyncClient,
        account: tuple[str, str] | None,
        timeout_s: float,
        clock: Clock,
    ) -> None:
        """`client` answers HTTP challenges by itself; `account`: name and password of a UsernameToken."""
        self.offset_s: float | None = None
        self._client, self._account = client, account
        self._timeout_s, self._clock = timeout_s, clock
        self._by_token = False

    async def call(
        self,
        url: str,
        body: str,
        *,
        open_door: bool = False,
        action: str = "",
        reference: Sequence[str] = (),
        longer_s: float = 0.0,
    ) -> ElementTree.Element:
        """Return the body's answer. open_door: without any sign-in. longer_s: how long it may think beside.

        Raises Refused, DeviceTimeout, and FieldError for an answer that is no SOAP.
        """
        head = "".join(reference)
        if action:
            head += (
                f'<a:Action s:mustUnderstand="1">{action}</a:Action>'
                f"<a:MessageID>urn:uuid:{uuid.uuid4()}</a:MessageID>"
                "<a:ReplyTo><a:Address>http://www.w3.org/2005/08/addressing/anonymous</a:Address></a:ReplyTo>"
                f'<a:To s:mustUnderstand="1">{escape(url)}</a:To>'
            )
        try:
            return await self._post(url, head, body, open_door, longer_s)
        except Refused as refused:
            challenged = refused.subcode == "challenged"
            denied = refused.quality == Quality.BAD_USER_ACCESS_DENIED
            if open_door or self._by_token or self._account is None or challenged or not denied:
                raise
            self._by_token = True
            return await self._post(url, head, body, open_door, longer_s)

    async def _post(
        self, url: str, head: str, body: str, open_door: bool, longer_s: float
    ) -> ElementTree.Element:
        if self._by_token and not open_door:
            head = self._token() + head
        text = f"<s:Envelope {_NAMES}><s:Header>{head}</s:Header><s:Body>{body}</s:Body></s:Envelope>"
        wait = self._timeout_s + longer_s
        sign_in = {"auth": None} if open_door else {}
        data = bytearray()
        try:
            async with (
                asyncio.timeout(wait),
                self._client.stream(
                    "POST", url, content=text.encode(), timeout=wait,
                    headers={"Content-Type": "application/soap+xml; charset=utf-8"}, **sign_in,  # type: ignore[arg-type]
                ) as response,
            ):  # fmt: skip
                async for chunk in response.aiter_bytes():
                    data += chunk
                    if len(data) > MOST:
                        raise BadFrame(f"{url} answered more than {MOST} bytes", Quality.BAD_OUT_OF_RANGE)
        except (TimeoutError, httpx2.TimeoutException) as error:
            raise DeviceTimeout(f"{url} does not answer", Quality.BAD_TIMEOUT) from error
        except httpx2.HTTPError as error:
            said = str(error) or type(error).__name__
            raise DeviceTimeout(f"{url} cannot be reached: {said}", Quality.BAD_NO_COMMUNICATION) from error
        return _answer(url, response, bytes(data))

    def _token(self) -> str:
        name, password = self._account or ("", "")
        nonce = secrets.token_bytes(16)
        moment = to_datetime(self._clock()) + timedelta(seconds=self.offset_s or 0.0)
        created = moment.strftime("%Y-%m-%dT%H:%M:%S.") + f"{moment.microsecond // 1000:03d}Z"
        return _TOKEN.format(
            name=escape(name),
            digest=password_digest(nonce, created, password),
            nonce=base64.b64encode(nonce).decode(),
            created=created,
        )


def _answer(url: str, response: httpx2.Response, data: bytes) -> ElementTree.Element:
    status = response.status_code
    body = None
    try:
        body = parse(data, MOST).find(f"{ENVELOPE}Body") if data.strip() else None
    except BadFrame as error:
        if status == httpx2.codes.OK:
            raise FieldError(f"{url} answered no SOAP: {error}", Quality.BAD_DECODING_ERROR) from error
    if status in (401, 403):
        challenged = "challenged" if response.headers.get("www-authenticate") else "NotAuthorized"
        raise Refused(
            f"{url} refuses user name or password; check `username` and `password_file`",
            Quality.BAD_USER_ACCESS_DENIED, challenged,
        )  # fmt: skip
    fault = None if body is None else body.find(f"{ENVELOPE}Fault")
    if fault is not None:
        codes = [(each.text or "").rpartition(":")[2].strip() for each in fault.iter(f"{ENVELOPE}Value")]
        words = " ".join((fault.findtext(f"{ENVELOPE}Reason/{ENVELOPE}Text") or "").split())[:200]
        denied = bool({"NotAuthorized", "FailedAuthentication", "InvalidSecurity"} & set(codes))
        quality = Quality.BAD_USER_ACCESS_DENIED if denied else Quality.BAD_NOT_SUPPORTED
        subcode = codes[-1] if codes else ""
        raise Refused(
            f"{url} answers {subcode or 'a fault'}: {words or 'without a reason'}", quality, subcode
        )
    if body is None or status >= 300:
        raise Refused(
            f"{url} answers HTTP {status} without SOAP; check the path of ONVIF",
            Quality.BAD_CONFIGURATION_ERROR,
        )
    return body
