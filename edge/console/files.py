"""The built page (`edge/console/static`, made by hatch_build.py): files by name, nothing else.

Only names that were found in the folder are answered, so that no path can lead out of it.
"""

from __future__ import annotations

import mimetypes
from hashlib import sha256
from pathlib import Path
from typing import Final

from starlette.requests import Request
from starlette.responses import HTMLResponse, Response
from starlette.routing import Route

from edge.console.answers import Problem
from edge.console.worker import Worker

STATIC: Final = Path(__file__).with_name("static")
_HASHED: Final = "public, max-age=31536000, immutable"
"""For files below assets/, whose names change with their content."""
_TYPES: Final = {
    ".webmanifest": "application/manifest+json",
    ".js": "text/javascript",
    ".woff2": "font/woff2",
}
NOT_BUILT: Final = """<!doctype html>
<html lang="zh-CN"><meta charset="utf-8"><meta name="viewport" content="width=device-width">
<title>CityNerve</title>
<h1>网关页面尚未构建<br>The gateway's page is not built</h1>
<p>在源码目录运行 <code>python hatch_build.py</code>，然后刷新。命令行已经可用。</p>
<p>Run <code>python hatch_build.py</code> in the source folder and reload. The command line works already.</p>
"""


class Files:
    """The files of one folder, by the path of their URL."""

    def __init__(self, folder: Path = STATIC) -> None:
        self._folder = folder
        self._known: dict[str, Path] = {}

    def find(self, name: str) -> Path | None:
        """Return the file of a URL path such as `assets/index-3f2a.js`; blocks, so call it in a thread."""
        known = self._known.get(name)
        if known is not None and known.is_file():
            return known
        # Built again while it runs: other names. The folder is small.
        found = {
            path.relative_to(self._folder): path
            for path in self._folder.rglob("*")
            if path.is_file() and not path.is_symlink()
        }
        self._known = {
            relative.as_posix(): path
            for relative, path in found.items()
            if not any(part.startswith(".") for part in relative.parts)
        }
        return self._known.get(name)

    def answer(self, name: str, gzip: bool, known: str) -> Response:
        """Return a file, 304 where the asker has it (`known` is its ETag). Raises Problem `not-found`."""
        path = self.find(name)
        if path is None:
            if name == "index.html":
                return HTMLResponse(NOT_BUILT, 503, {"Cache-Control": "no-store"})
            raise Problem(404, "not-found", f"there is no file {name!r}")
        packed = self.find(name + ".gz") if gzip else None
        try:
            data = (packed or path).read_bytes()
        except OSError as error:
            raise Problem(404, "not-found", f"the file {name!r} cannot be read") from error
        etag = f'"{sha256(data).hexdigest()[:24]}"'
        headers = {
            "ETag": etag,
            "Cache-Control": _HASHED if name.startswith("assets/") else "no-cache",
            "Vary": "Accept-Encoding",
        }
        if known == etag:
            return Response(status_code=304, headers=headers)
        if packed:
            headers["Content-Encoding"] = "gzip"
        kind = _TYPES.get(path.suffix) or mimetypes.guess_type(path.name)[0] or "application/octet-stream"
        return Response(data, 200, headers, media_type=kind)


def routes(files: Files, worker: Worker) -> list[Route]:
    """GET / and every file of the page; any other path without a dot is the page as well (its own router)."""

    async def file(request: Request) -> Response:
        path = request.path_params["path"]
        page = not path or ("." not in path and not path.startswith(("api/", "assets/")) and path != "api")
        gzip = "gzip" in request.headers.get("accept-encoding", "")
        known = request.headers.get("if-none-match", "")
        return await worker.run(files.answer, "index.html" if page else path, gzip, known)

    return [Route("/{path:path}", file)]
