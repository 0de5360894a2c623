"""Cameras: `GET {path}` answers the picture of this second as JPEG, 640 x 360; RTSP streams the same, ONVIF
tells of both.

    200 image/jpeg · 401 with Digest and Basic challenges (where credentials are set) · 404 · 503 (broken)

`path` is the device's `params.path` (default `/cam/{device}/snapshot.jpg`). A dead camera accepts the
request and stays silent; a frozen one repeats its picture, clock included; a black one shows the clock only.
"""

from __future__ import annotations

import asyncio
import base64
import hmac
import io
import zlib
from collections.abc import Awaitable, Callable
from typing import Any, Final, Literal, TypeAlias

from PIL import Image, ImageChops, ImageFilter, ImageOps
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import HTMLResponse, PlainTextResponse, Response
from starlette.routing import Route

from protocols.model.clock import SECOND_US, Clock, now_us
from sim_devices.fault_board import FaultBoard
from sim_devices.servers.base import DeviceView, SimServer
from sim_devices.servers.camera_stream import CameraStream, Codec, check_codec
from sim_devices.servers.digest import DigestGate
from sim_devices.servers.http import HttpListener
from sim_devices.servers.onvif import Services
from sim_devices.servers.paint import HEIGHT, WIDTH, grain, overlay, rainfall
from sim_devices.servers.rtsp import RtspServer
from sim_devices.servers.scene_river import draw_river
from sim_devices.servers.scene_street import draw_street
from sim_devices.world import Endpoint, Scene, World

Lens: TypeAlias = Literal["", "black", "blurred", "covered", "moved"]


def draw(scene: Scene, key: str, *, lens: Lens = "") -> bytes:
    """Return the JPEG that camera `key` makes of a scene; the same scene gives the same bytes.

    `lens`: what is wrong with it. The camera writes name and time into whatever it sees.
    """
    seed = zlib.crc32(key.encode())
    second = seed + scene.time_us // SECOND_US
    if lens in ("black", "covered"):
        cloth = (0, 0, 0) if lens == "black" else (44, 41, 38)
        picture = grain(Image.new("RGB", (WIDTH, HEIGHT), cloth), 0.0, second)
    else:
        picture = (draw_street if scene.kind == "street" else draw_river)(scene, seed)
        picture = rainfall(picture, scene.rain, second)
        if lens == "blurred":
            picture = picture.filter(ImageFilter.GaussianBlur(4))
        elif lens == "moved":
            picture = ImageChops.offset(ImageOps.mirror(picture), 150, 60)
        picture = grain(picture, scene.darkness, second)
    note = f"{scene.water_level_m:.2f} m" if scene.water_level_m is not None and lens != "black" else ""
    out = io.BytesIO()
    overlay(picture, scene.title, key, scene.time_us, note).save(out, "JPEG", quality=84)
    return out.getvalue()


_LENSES: Final[tuple[Literal["covered", "blurred", "moved"], ...]] = ("covered", "blurred", "moved")


class _Camera:
    """One camera's view, and the picture that it made last."""

    def __init__(self, view: DeviceView) -> None:
        self.view = view
        path = str(view.device.params.get("path", f"/cam/{view.key}/snapshot.jpg"))
        self.path = path.replace("{device}", view.key)
        self.stream = str(view.device.params.get("stream", f"/cam/{view.key}/stream"))
        self.jpeg = b""
        self.made: tuple[int, Lens] = (-1, "")
        self.lock = asyncio.Lock()


class CameraServer(SimServer):
    """Many cameras behind one HTTP port, as behind a video recorder."""

    def __init__(
        self,
        endpoint: Endpoint,
        world: World,
        faults: FaultBoard,
        *,
        host: str = "127.0.0.1",
        clock: Clock = now_us,
        credentials: tuple[str, str] | None = None,
    ) -> None:
        """`credentials`: user name and password that every picture and stream then asks for.

        Endpoint settings: `rtsp_port` (0 takes a free one; without it there are no streams), `codec` (jpeg,
        h264, h265). Raises Rejected (`codec`).
        """
        super().__init__(endpoint, world, faults, host=host, clock=clock)
        self._cameras = [_Camera(view) for view in self.views]
        self._expected = ""
        self.gate: DigestGate | None = None
        if credentials is not None:
            pair = base64.b64encode(f"{credentials[0]}:{credentials[1]}".encode()).decode()
            self._expected = f"Basic {pair}"
            self.gate = DigestGate(*credentials)
        self.rtsp: RtspServer | None = None
        if "rtsp_port" in endpoint.settings:
            codec = check_codec(str(endpoint.settings.get("codec", "jpeg")))
            streams = {camera.stream: self._stream(camera, codec) for camera in self._cameras}
            port = int(endpoint.settings["rtsp_port"])
            self.rtsp = RtspServer(host, port, streams.get, self.gate)
        self.onvif = Services(
            {camera.view.key: (camera.path, camera.stream) for camera in self._cameras},
            clock,
            faults.ahead_s,
            lambda: self.rtsp.port if self.rtsp is not None else 554,
            account=credentials,
            admits=self._admits,
            sign_in=self._sign_in,
        )
        routes = [Route("/", self._index), Route("/onvif/{part:path}", self._services, methods=["POST"])]
        routes += [Route(camera.path, self._handler(camera)) for camera in self._cameras]
        what = f"camera server {endpoint.key}"
        self._http = HttpListener(Starlette(routes=routes), host, endpoint.port, what)
        self._stopping = asyncio.Event()

    @classmethod
    def settings_at(cls, url: str) -> dict[str, Any]:
        """Return the URL."""
        return {"base_url": url}

    @property
    def url(self) -> str:
        """Where a client connects."""
        return f"http://{self.host}:{self.port}"

    @property
    def also(self) -> str:
        """Where its streams are; empty where it has none."""
        return f"rtsp://{self.host}:{self.rtsp.port}" if self.rtsp is not None else ""

    async def start(self) -> None:
        """Listen; raises PortBusyError."""
        await self._http.start()
        self.port = self._http.port
        if self.rtsp is not None:
            await self.rtsp.start()

    async def tick(self) -> None:
        """Tell whoever listens to events; a picture is drawn when somebody asks."""
        now, subscriptions = self.onvif.now(), self.onvif.subscriptions
        for key in (camera.view.key for camera in self._cameras):
            scene = self.world.scene(key)
            lost = self.faults.black(key)
            subscriptions.set(key, "signal_loss", lost, now)
            subscriptions.set(key, "tamper", self.faults.trouble("covered", key), now)
            # Something drives or floats by in two of three ten-second spans.
            moves = scene.time_us // (10 * SECOND_US) % 3 != 0 and scene.traffic > 0
            subscriptions.set(key, "motion", moves and not lost, now)

    def cut_connections(self) -> None:
        """Reset what is connected now."""
        self._http.cut_connections()
        if self.rtsp is not None:
            self.rtsp.cut_connections()

    async def stop(self) -> None:
        """Close the port and every connection."""
        self._stopping.set()
        self.onvif.subscriptions.lose()
        await self.stop_cutting()
        if self.rtsp is not None:
            await self.rtsp.stop()
        await self._http.stop()

    async def picture(self, key: str) -> bytes:
        """Return the JPEG that a camera serves now; KeyError for an unknown one."""
        for camera in self._cameras:
            if camera.view.key == key:
                return await self._take(camera)
        raise KeyError(key)

    def _lens(self, key: str) -> Lens:
        if self.faults.black(key):
            return "black"
        for lens in _LENSES:
            if self.faults.trouble(lens, key):
                return lens
        return ""

    async def _take(self, camera: _Camera) -> bytes:
        key = camera.view.key
        async with camera.lock:
            wanted = (self.clock() // SECOND_US, self._lens(key))
            if camera.jpeg and (self.faults.frozen(key) or camera.made == wanted):
                return camera.jpeg
            scene = self.world.scene(key)
            camera.jpeg = await asyncio.to_thread(draw, scene, key, lens=wanted[1])
            camera.made = wanted
            return camera.jpeg

    def _handler(self, camera: _Camera) -> Callable[[Request], Awaitable[Response]]:
        async def snapshot(request: Request) -> Response:
            return await self._answer(camera, request)

        return snapshot

    async def _answer(self, camera: _Camera, request: Request) -> Response:
        key = camera.view.key
        if self.refuses():
            self.cut_connections()
        while self.faults.dead(key) and not self._stopping.is_set():
            if await request.is_disconnected():
                break
            await asyncio.sleep(0.02)
        if self.faults.delay_s(key):
            await asyncio.sleep(self.faults.delay_s(key))
        if self.faults.broken(key):
            return PlainTextResponse("image sensor failed", 503)
        if not self._admits(request):
            return self._sign_in()
        return Response(
            await self._take(camera), media_type="image/jpeg", headers={"Cache-Control": "no-store"}
        )

    def _admits(self, request: Request) -> bool:
        given = request.headers.get("authorization", "")
        if self.gate is None or hmac.compare_digest(given.encode(), self._expected.encode()):
            return True
        return self.gate.admits(given, request.method) == "yes"

    def _sign_in(self) -> Response:
        response = PlainTextResponse("sign in", 401)
        for challenge in (*(self.gate.challenges() if self.gate else ()), 'Basic realm="camera"'):
            response.headers.append("WWW-Authenticate", challenge)
        return response

    async def _services(self, request: Request) -> Response:
        if self.refuses():
            self.cut_connections()
        keys = [camera.view.key for camera in self._cameras]
        while any(map(self.faults.dead, keys)) and not self._stopping.is_set():  # noqa: ASYNC110 - a fault
            await asyncio.sleep(0.02)
        return await self.onvif.answer(request)

    def _stream(self, camera: _Camera, codec: Codec) -> CameraStream:
        key, faults = camera.view.key, self.faults
        return CameraStream(
            lambda: self._take(camera),
            codec=codec,
            stalled=lambda: faults.trouble("stalled", key),
            busy=lambda: faults.trouble("busy", key),
            dead=lambda: faults.dead(key),
        )

    async def _index(self, _: Request) -> Response:
        """A page with all pictures, for a person who wonders what this port is."""
        figures = "".join(
            f'<figure><img src="{c.path}" width="{WIDTH}" height="{HEIGHT}" alt="{c.view.key}">'
            f"<figcaption>{c.view.key}</figcaption></figure>"
            for c in self._cameras
        )
        return HTMLResponse(f"<!doctype html><title>{self.endpoint.key}</title>{figures}")
