"""`citynerve serve`: run the centre."""

from __future__ import annotations

import errno
import socket
from typing import Annotated

import typer
import uvicorn
from fastapi import FastAPI

from central.app import close_streams, create_app
from central.cli.settings import Data, settings
from central.kernel import logs
from protocols.errors import ConfigError, Mistake

STOP_S = 10
BACKLOG = 1024


class CentreServer(uvicorn.Server):
    """Ends streams and long polls first when it stops: they would never end by themselves."""

    def __init__(self, config: uvicorn.Config, app: FastAPI) -> None:
        super().__init__(config)
        self._app = app

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """Stop: no new connections, streams ended, requests answered, then the application."""
        close_streams(self._app)
        await super().shutdown(sockets)


def serve(
    host: Annotated[
        str | None, typer.Option(help="Address to listen on; this machine only by default.")
    ] = None,
    port: Annotated[int | None, typer.Option(help="Port to listen on; 0 takes a free one.")] = None,
    data: Data = None,
) -> None:
    """Run the centre until Ctrl-C or SIGTERM. Settings: `CITYNERVE_*`, see docs/configuration.md."""
    config = settings(data, host, port)
    logs.configure(config.log_level)
    listener = listen(config.host, config.port)
    app = create_app(config)
    server = CentreServer(
        uvicorn.Config(
            app,
            log_config=None,
            access_log=False,
            server_header=False,
            proxy_headers=True,
            forwarded_allow_ips=[*config.proxies],
            timeout_graceful_shutdown=STOP_S,
            backlog=BACKLOG,
        ),
        app,
    )
    with listener:
        typer.echo(f"CityNerve listens on {address(listener)}", err=True)
        server.run(sockets=[listener])
    if not server.started:
        raise typer.Exit(1)


def listen(host: str, port: int) -> socket.socket:
    """Bind the address now, so that a busy port is named before anything else is started."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    listener = socket.socket(family, socket.SOCK_STREAM)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind((host, port))
        listener.listen(BACKLOG)
    except OSError as error:
        listener.close()
        busy = error.errno == errno.EADDRINUSE
        raise ConfigError(
            [
                Mistake(
                    f"{host}:{port}", 0, 0, "",
                    "the port is in use by another program" if busy else f"cannot listen: {error.strerror}",
                    "an address and port that are free",
                    f"stop that program (`ss -ltnp 'sport = :{port}'` names it), or choose another port:"
                    f" --port {port + 1}",
                )
            ]
        ) from error  # fmt: skip
    return listener


def address(listener: socket.socket) -> str:
    """Return the URL of a listening socket."""
    host, port = listener.getsockname()[:2]
    return f"http://{f'[{host}]' if ':' in host else host}:{port}"
