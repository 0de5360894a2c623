"""What a camera says of its stream: the session description that answers DESCRIBE (RFC 4566, RFC 2326 C.1).

m=video 0 RTP/AVP 96                      the first video is taken, everything else is left alone
a=rtpmap:96 H264/90000                    its coding and the clock of its timestamps
a=fmtp:96 packetization-mode=1;sprop-parameter-sets=Z0IAKe…,aM48gA==
a=control:trackID=1                       where SETUP goes, against Content-Base
"""

from __future__ import annotations

import base64
import binascii
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final
from urllib.parse import urlsplit

_STATIC: Final[Mapping[int, tuple[str, int]]] = {
    26: ("JPEG", 90_000),
    32: ("MPV", 90_000),
    33: ("MP2T", 90_000),
}


@dataclass(frozen=True, slots=True)
class Video:
    """The video of a stream. codec: upper-case encoding name; rate: ticks of its timestamps in a second."""

    payload: int
    codec: str
    rate: int
    control: str
    framerate: float | None = None
    fmtp: Mapping[str, str] = field(default_factory=dict)

    def parameter_sets(self) -> bytes:
        """Return SPS, PPS (and VPS) of the description, as an Annex B byte stream; often empty."""
        names = {"H264": ("sprop-parameter-sets",), "H265": ("sprop-vps", "sprop-sps", "sprop-pps")}
        units = b""
        for name in names.get(self.codec, ()):
            for text in self.fmtp.get(name, "").split(","):
                try:
                    unit = base64.b64decode(text.strip() + "=" * (-len(text.strip()) % 4))
                except (binascii.Error, ValueError):
                    continue
                units += b"\0\0\0\1" + unit if unit else b""
        return units


@dataclass(frozen=True, slots=True)
class Description:
    """A stream: its first video or None, and the control address of the whole session."""

    video: Video | None
    control: str = "*"


def read_sdp(body: bytes) -> Description:
    """Return what a description says; what it does not say is left out, nothing is refused."""
    session_control, media = "*", list[tuple[str, list[str]]]()
    for line in body.decode("utf-8", "replace").replace("\r", "\n").split("\n"):
        kind, _, value = line.strip().partition("=")
        if kind == "m":
            media.append((value, []))
        elif kind == "a" and media:
            media[-1][1].append(value)
        elif kind == "a" and value.startswith("control:"):
            session_control = value.removeprefix("control:").strip()
    for line, attributes in media:
        video = _video(line, attributes)
        if video is not None:
            return Description(video, session_control)
    return Description(None, session_control)


def _video(line: str, attributes: list[str]) -> Video | None:
    words = line.split()
    if len(words) < 4 or words[0] != "video" or not words[3].isascii() or not words[3].isdigit():
        return None
    payload = min(int(words[3][:4]), 127)
    codec, rate = _STATIC.get(payload, ("", 90_000))
    control, framerate, fmtp = "", None, dict[str, str]()
    for attribute in attributes:
        name, _, value = attribute.partition(":")
        of, _, rest = value.strip().partition(" ")
        if name == "control":
            control = value.strip()
        elif name == "framerate":
            framerate = _number(value)
        elif name == "rtpmap" and of == words[3]:
            coding, _, ticks = rest.strip().partition("/")
            codec = coding.upper()
            rate = int(_number(ticks.partition("/")[0]) or 90_000)
        elif name == "fmtp" and of == words[3]:
            for part in rest.split(";"):
                key, _, text = part.strip().partition("=")
                fmtp[key.lower()] = text
    codec = {"HEVC": "H265", "MJPEG": "JPEG"}.get(codec, codec)
    return Video(payload, codec, max(rate, 1), control, framerate, fmtp)


def _number(text: str) -> float | None:
    try:
        value = float(text.strip()[:20])
    except ValueError:
        return None
    return value if 0 < value < 1e9 else None


def resolve(base: str, control: str) -> str:
    """Return the address of a control attribute against a base, as cameras mean it: appended, not joined.

    `*` and nothing are the base itself; a full address keeps its path and takes the base's host, as cameras
    behind address translation name one that cannot be reached.
    """
    if control in ("", "*"):
        return base
    if not control.lower().startswith(("rtsp://", "rtsps://")):
        return f"{base.rstrip('/')}/{control.lstrip('/')}"
    return with_host(control, base)


def with_host(address: str, reachable: str) -> str:
    """Return an address with scheme, host and port of another. Raises ValueError for one that is none."""
    path = urlsplit(address)
    here = urlsplit(reachable)
    return f"{here.scheme}://{here.netloc}{path.path}" + (f"?{path.query}" if path.query else "")
