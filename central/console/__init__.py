"""Serves the built console (central/console/static): files, the application's page for every other path.

A page's address belongs to the console's own router, so a path without a file answers `index.html`;
paths of the API and of the gateways never do. No file comes from anywhere else (see `policy`), but
of a map style where the operator set one.
"""

from __future__ import annotations

import asyncio
import gzip
from pathlib import Path
from typing import Final
from urllib.parse import urlsplit

from fastapi import FastAPI
from starlette.datastructures import Headers
from starlette.exceptions import HTTPException
from starlette.responses import FileResponse, HTMLResponse, Response
from starlette.routing import Match, Mount
from starlette.staticfiles import StaticFiles
from starlette.types import Scope

STATIC: Final = Path(__file__).with_name("static")
RESERVED: Final = ("api", "gateway", "healthz", "metrics")
"""First parts of paths that are never the console's."""

METHODS: Final = ("DELETE", "GET", "PATCH", "POST", "PUT")


INLINE_STYLES: Final = (
    "JClGOyTOyrbT2+B1KbSXYp5MIAbEkV38Nk8hSeVIc1c=",  # where a drop-down stands (vueuc/binder)
    "SRcTN4U/SToBQzm6uE0zWCGxI4GdneMu675dtKYpU/U=",  # choices that have no room (vueuc/overflow)
    "+abilvvMoHuxGiz90eIb7Cc0h0YxZfUjCTSRpEJ8Y/I=",  # long lists of choices (vueuc/virtual-list)
)
"""The only `<style>` elements that the page makes, by digest. vueuc, which carries Naive UI's drop-downs,
writes them where it cannot be told otherwise; Naive UI's own go around (`web/src/theme/sheets.ts`). A new
version of vueuc may need others: the browser then logs the digest that it wants, and browser tests fail."""


def policy(map_style: str | None = None) -> str:
    """Return the content security policy; from outside it lets in one origin, that of the map style."""
    tiles = ""
    if map_style:
        address = urlsplit(map_style)
        tiles = f" {address.scheme}://{address.netloc}"
    return "; ".join(
        (
            "default-src 'self'",
            "script-src 'self'",
            " ".join(("style-src 'self'", *(f"'sha256-{digest}'" for digest in INLINE_STYLES))),
            f"img-src 'self' data: blob:{tiles}",
            "font-src 'self' data:",
            f"connect-src 'self'{tiles}",
            # MapLibre draws in workers that it makes from blobs.
            "worker-src 'self' blob:",
            "object-src 'none'",
            "base-uri 'none'",
            "form-action 'self'",
            "frame-ancestors 'none'",
        )
    )


PAGE_HEADERS: Final = {
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "same-origin",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Permissions-Policy": "camera=(), microphone=(), geolocation=(self)",
    "Cache-Control": "no-cache",
}
HASHED: Final = "public, max-age=31536000, immutable"
"""For files below assets/, whose names change with their content."""
TEXTS: Final = frozenset({".css", ".js", ".svg"})

NOT_BUILT: Final = """<!doctype html>
<html lang="zh-CN"><meta charset="utf-8"><meta name="color-scheme" content="dark"><title>CityNerve</title>
<h1>控制台尚未构建<br>The console is not built</h1>
<p>在源码目录运行 <code>python hatch_build.py</code>，然后刷新本页。API 已经可用。</p>
<p>Run <code>python hatch_build.py</code> in the source folder and reload. The API works already.</p>
"""


class ConsoleFiles(StaticFiles):
    """Static files with a fall-back page, and with the headers that keep the page to itself."""

    def __init__(self, folder: Path, map_style: str | None = None) -> None:
        super().__init__(directory=folder, check_dir=False)
        self._folder = folder
        self._headers = {"Content-Security-Policy": policy(map_style), **PAGE_HEADERS}
        self._packed: dict[str, bytes] = {}
        """Assets by path, compressed once: three megabytes for each new browser would hold everybody up."""

    async def check_config(self) -> None:
        """Allow a folder that is not there yet: the console may be built while the centre runs."""

    async def get_response(self, path: str, scope: Scope) -> Response:
        """Answer a file, else the page, else 404."""
        if path.split("/", 1)[0] in (*RESERVED, ".."):
            if allowed := _methods(scope):
                raise HTTPException(
                    405, f"{scope['path']!r} takes {allowed}, not {scope['method']}.", {"Allow": allowed}
                )
            raise HTTPException(
                404, f"There is no {scope['path']!r}; /api/v1/openapi.json lists what there is."
            )
        if path != "." and not path.startswith("."):
            try:
                response = await super().get_response(path, scope)
            except HTTPException as error:
                # `/devices/gw-north.pump1` is a page for all its dot; only assets and `/name.ext` are files.
                if (
                    error.status_code != 404
                    or path.startswith("assets/")
                    or ("." in path and "/" not in path)
                ):
                    raise
            else:
                if path.startswith("assets/"):
                    response.headers["Cache-Control"] = HASHED
                    return await self._light(path, response, scope)
                return response
        return await self._page(scope)

    async def _light(self, path: str, response: Response, scope: Scope) -> Response:
        """Return an asset compressed to whoever takes that and wants all of it; a name has one content."""
        asked = Headers(scope=scope)
        whole = isinstance(response, FileResponse) and scope["method"] == "GET" and "range" not in asked
        if not whole or Path(path).suffix not in TEXTS or "gzip" not in asked.get("accept-encoding", ""):
            return response
        if path not in self._packed:
            content = await asyncio.to_thread((self._folder / path).read_bytes)
            self._packed[path] = await asyncio.to_thread(gzip.compress, content, mtime=0)
        kept = ("content-type", "cache-control", "etag", "last-modified")
        headers = {name: response.headers[name] for name in kept}
        headers |= {"Content-Encoding": "gzip", "Vary": "Accept-Encoding"}
        return Response(self._packed[path], headers=headers)

    async def _page(self, scope: Scope) -> Response:
        if not (self._folder / "index.html").is_file():
            return HTMLResponse(NOT_BUILT, 503, self._headers)
        response = await super().get_response("index.html", scope)
        response.headers.update(self._headers)
        return response


def _methods(scope: Scope) -> str:
    """Return the methods that the path has elsewhere in the application, such as `GET, POST`."""
    routes = [route for route in scope["app"].routes if not isinstance(route, Mount)]
    return ", ".join(
        method
        for method in METHODS
        if any(route.matches({**scope, "method": method})[0] is Match.FULL for route in routes)
    )


def mount(app: FastAPI, folder: Path = STATIC, map_style: str | None = None) -> None:
    """Serve the console at `/`. Call it last: it answers every path that nothing before it answered.

    map_style: `Config.map_style`.
    """
    app.mount("/", ConsoleFiles(folder, map_style), name="console")
