"""What a technician writes of cameras: the line's settings, the device's parameters."""

from __future__ import annotations

from pathlib import Path
from typing import Self
from urllib.parse import urlsplit

from pydantic import Field, model_validator

from protocols.model.strict import Strict


class CameraSettings(Strict):
    """The address of a camera or recorder. Basic and Digest are both tried, as the camera asks."""

    base_url: str = Field(
        pattern=r"^(https?|rtsps?)://[^/?#]+/?$",
        description="http://192.0.2.64, or rtsp://… where it has no pages",
    )
    username: str | None = None
    password_file: Path | None = None
    timeout_ms: int = Field(default=3000, ge=50)
    rtsp_port: int = Field(
        default=554, ge=1, le=65535, description="of streams whose path is given without a host"
    )
    onvif: bool = Field(default=False, description="ask it by ONVIF for addresses, events, clock and presets")
    onvif_path: str = Field(
        default="/onvif/device_service", pattern=r"^/", description="of its device service"
    )
    pull_s: float = Field(default=20, ge=1, le=60, description="how long a question for events stays open")
    describe_every_s: float = Field(
        default=300, ge=1, description="between two questions whether the stream is there"
    )
    stream_every_s: float = Field(default=900, ge=1, description="between two looks at its frames")
    first_packet_s: float = Field(default=5, ge=0.1, le=60, description="how long the first packet may take")
    key_frame_s: float = Field(default=10, ge=1, le=120, description="how long a key frame may take")
    watch_s: float = Field(
        default=2, ge=0, le=30, description="how long a stream is watched for rate and losses"
    )

    @model_validator(mode="after")
    def _whole(self) -> Self:
        parts = urlsplit(self.base_url)
        if parts.username is not None:
            raise ValueError("an address holds no user name; give `username` and `password_file`")
        if self.onvif and not self.base_url.startswith("http"):
            raise ValueError("ONVIF is spoken over http; give its address as base_url: http://192.0.2.64")
        return self

    @property
    def host(self) -> str:
        """Host as an address has it: an IPv6 one in brackets."""
        host = urlsplit(self.base_url).hostname or ""
        return f"[{host}]" if ":" in host else host

    def stream_url(self, stream: str) -> str:
        """Return the address of a device's stream."""
        if "://" in stream:
            return stream
        if self.base_url.startswith("rtsp"):
            return self.base_url.rstrip("/") + stream
        return f"rtsp://{self.host}:{self.rtsp_port}{stream}"


class CameraParams(Strict):
    """Where the device's pictures are: a snapshot, a stream; or both."""

    path: str | None = Field(default=None, pattern=r"^/", description="of the snapshot: /cam/01/snapshot.jpg")
    stream: str | None = Field(
        default=None,
        pattern=r"^(/|rtsps?://[^/@]+/)",
        description="of the stream: /cam/01/sub, or a whole rtsp:// URL",
    )
    profile: str | None = Field(
        default=None, description="token of the ONVIF media profile; left out: the smallest"
    )
