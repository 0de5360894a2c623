"""The sockets of the two doors: bound before anybody can reach them wrongly, and refused in words."""

from __future__ import annotations

import ipaddress
import os
import pwd
import socket
import struct
from pathlib import Path
from typing import Final

from edge.config.serving import PageEntry
from protocols.errors import Rejected

SOCKET_NAME: Final = "control.sock"
_MAX_SOCKET_PATH: Final = 107
"""Bytes of a Unix socket's path (unix(7))."""


def control_socket(folder: Path) -> socket.socket:
    """Return a bound Unix socket in `folder` that only its owner may open. Raises Rejected.

    A socket that a killed gateway left is replaced: the lock of the folder says that no other one runs.
    """
    path = folder / SOCKET_NAME
    if len(os.fsencode(path)) > _MAX_SOCKET_PATH:
        raise Rejected(
            "socket-path",
            f"{path} is longer than the {_MAX_SOCKET_PATH} bytes of a socket's path; "
            "give the gateway a shorter `state_dir`",
        )
    sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    try:
        path.unlink(missing_ok=True)
        # Before bind, so that it is never open to others for a moment: Linux makes the file with this mode.
        os.fchmod(sock.fileno(), 0o600)
        sock.bind(str(path))
        path.chmod(0o600)
    except OSError as error:
        sock.close()
        raise Rejected(
            "control-socket", f"{path}: {error.strerror}; the gateway must be able to write there"
        ) from error
    return sock


def tcp_socket(host: str, port: int, kind: type[socket.socket] = socket.socket) -> socket.socket:
    """Return a socket of `kind` bound to `host:port`. Raises Rejected where it is in use or not ours."""
    try:
        family, stream, proto, _, address = socket.getaddrinfo(
            host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
        )[0]
        sock = kind(family, stream, proto)
    except (OSError, UnicodeError) as error:
        raise Rejected("page-host", f"{host!r} is no address of this machine: {error}") from error
    try:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        sock.bind(address)
        # Linux tells only here that another one listens on the same address.
        sock.listen()
    except OSError as error:
        sock.close()
        raise Rejected(
            "page-port",
            f"{host}:{port}: {error.strerror}; choose another `page: {{port: …}}`, or stop what uses it",
        ) from error
    return sock


def page_url(page: PageEntry, port: int) -> str:
    """Return where a browser on this machine finds the page."""
    scheme = "https" if page.cert_file else "http"
    host = "127.0.0.1" if page.host == "0.0.0.0" else "::1" if page.host == "::" else page.host  # noqa: S104
    return f"{scheme}://{f'[{host}]' if ':' in host else host}:{port}/"


def is_loopback(host: str) -> bool:
    """Return whether only this machine reaches an address; a name that is not `localhost` may be anything."""
    try:
        return host == "localhost" or ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def peer_user(sock: socket.socket) -> str:
    """Return the name of the user at the other end of a Unix socket (SO_PEERCRED, unix(7))."""
    _, user, _ = struct.unpack("3i", sock.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, 12))
    try:
        return pwd.getpwuid(user).pw_name
    except KeyError:
        return str(user)
