"""Where a camera's snapshot is: the paths that makers use, asked one after the other, kindly."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any, Final

import httpx2

from protocols.errors import ConnectionLost, FieldError
from protocols.field.camera.onvif import Onvif
from protocols.field.camera.picture import NotAPicture, decode
from protocols.field.camera.snapshot import MAX_BYTES, AsAsked
from protocols.field.camera.soap import Soap
from protocols.field.filling import read_password
from protocols.field.scanning import Found, Progress
from protocols.model.clock import now_us
from protocols.model.quality import Quality

PATHS: Final = (
    "/cam/01/snapshot.jpg",
    "/onvif-http/snapshot",
    "/onvif/snapshot",
    "/snapshot.jpg",
    "/snapshot",
    "/ISAPI/Streaming/channels/101/picture",
    "/cgi-bin/snapshot.cgi",
    "/axis-cgi/jpg/image.cgi",
    "/image.jpg",
    "/jpg/image.jpg",
)
"""Snapshot paths seen at common makers; ours first, then ONVIF's usual one, then the makers' own."""
ONVIF_PATH: Final = "/onvif/device_service"
_PAUSE_S: Final = 0.1


async def probe(
    base_url: str,
    *,
    paths: Sequence[str] = PATHS,
    username: str | None = None,
    password_file: Path | None = None,
    timeout_s: float = 3.0,
) -> AsyncIterator[Found | Progress]:
    """Yield the paths that give a picture, or ask for a password. Raises ConnectionLost."""
    auth = AsAsked(username, read_password(password_file) or "") if username is not None else None
    base_url = base_url.rstrip("/")
    async with httpx2.AsyncClient(
        base_url=base_url, auth=auth, timeout=timeout_s, follow_redirects=False, trust_env=False
    ) as client:
        for done, path in enumerate(paths):
            yield Progress(done, len(paths), path)
            try:
                async with asyncio.timeout(timeout_s):
                    found = await _look(client, base_url, path)
            except (TimeoutError, httpx2.TimeoutException):
                found = None
            except httpx2.HTTPError as error:
                raise ConnectionLost(
                    f"{base_url} cannot be reached: {error}; check address and port",
                    Quality.BAD_NO_COMMUNICATION,
                ) from error
            if found is not None:
                yield found
                if found.detail["answer"] == "password":
                    break  # more wrong passwords lock some cameras
            await asyncio.sleep(_PAUSE_S)
    yield Progress(len(paths), len(paths), "done")


async def identify(
    base_url: str,
    *,
    username: str | None = None,
    password_file: Path | None = None,
    timeout_s: float = 3.0,
) -> AsyncIterator[Found | Progress]:
    """Yield what the camera at an address tells of itself by ONVIF; nothing where it does not speak it."""
    yield Progress(0, 0, "ONVIF")
    password = read_password(password_file) or ""
    auth = AsAsked(username, password) if username is not None else None
    base_url = base_url.rstrip("/")
    async with httpx2.AsyncClient(auth=auth, follow_redirects=False, trust_env=False) as client:
        account = None if username is None else (username, password)
        onvif = Onvif(Soap(client, account, timeout_s, now_us), base_url, ONVIF_PATH, now_us)
        detail: dict[str, Any] = {"answer": "onvif"}
        try:
            detail["clock_offset_s"] = await onvif.clock_offset()
        except FieldError:
            return
        try:
            detail |= asdict(await onvif.identity())
            detail["profiles"] = [asdict(each) for each in await onvif.profiles()]
        except FieldError as error:
            detail["refused"] = str(error)
    who = " ".join(str(detail.get(word, "")) for word in ("maker", "model", "firmware")).strip()
    title = f"ONVIF: {who or detail.get('refused', 'a camera')}, {len(detail.get('profiles', ()))} profiles"
    settings = {"base_url": base_url, "onvif": True}
    yield Found(
        "camera", base_url + ONVIF_PATH, title, detail,
        {
            "connections": {"protocol": "camera", "settings": settings},
            "devices": {"profile": "onvif.camera", "params": {}},
        },
    )  # fmt: skip


async def _look(client: httpx2.AsyncClient, base_url: str, path: str) -> Found | None:
    data = bytearray()
    async with client.stream("GET", path) as response:
        if response.status_code in (401, 403):
            title = f"{path} asks for a user name and a password"
            return Found("camera", base_url + path, title, {"answer": "password", "path": path})
        if response.status_code != httpx2.codes.OK:
            return None
        async for chunk in response.aiter_bytes():
            data += chunk
            if len(data) > MAX_BYTES:
                return None
    try:
        picture = await asyncio.to_thread(decode, bytes(data))
    except NotAPicture:
        return None
    title = f"{path} is a picture of {len(data) // 1000} kB, brightness {picture.brightness:.0f} of 255"
    return Found(
        "camera",
        base_url + path,
        title,
        {"answer": "picture", "path": path, "bytes": len(data), "brightness": round(picture.brightness, 1)},
        {
            "connections": {"protocol": "camera", "settings": {"base_url": base_url}},
            "devices": {"profile": "city.camera", "params": {"path": path}},
        },
    )
