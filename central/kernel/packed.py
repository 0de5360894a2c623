"""Large answers, compressed where they are made: in their thread, and lightly.

A day of raw values is a megabyte: gzip at the level of other answers takes longer than the values did, and
while it runs nobody else is answered. The middleware leaves alone what says that it is encoded.
"""

from __future__ import annotations

import gzip
from typing import Final

from fastapi import Request, Response

LEVEL: Final = 1
"""A third of level 5's time, for a quarter more bytes."""
LEAST: Final = 64 * 1024
"""Bytes; less is left to the middleware."""


def packed(body: bytes, request: Request, media_type: str = "application/json") -> Response:
    """Return an answer of these bytes, compressed if it is worth it and the client takes gzip."""
    if len(body) < LEAST or "gzip" not in request.headers.get("accept-encoding", ""):
        return Response(body, media_type=media_type)
    headers = {"Content-Encoding": "gzip", "Vary": "Accept-Encoding"}
    return Response(gzip.compress(body, LEVEL, mtime=0), media_type=media_type, headers=headers)
