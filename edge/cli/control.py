"""The running gateway, asked through its Unix socket: whoever may open that is the gateway's own user."""

from __future__ import annotations

import json
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final, NamedTuple

import httpx2

from edge.config.load import Loaded
from edge.opening import open_plan
from edge.versions.start import find_state_dir
from protocols.errors import ConfigError, Mistake, Rejected

SOCKET_NAME: Final = "control.sock"
_TIMEOUT_S: Final = 15.0


class Place(NamedTuple):
    """Where a gateway is, as far as a file with mistakes still says it."""

    file: Path
    state_dir: Path


class Control:
    """A gateway that runs, or not: `running` looks, everything else raises Rejected (`not-running`, …)."""

    def __init__(self, place: Loaded | Place) -> None:
        self.path = place.state_dir / SOCKET_NAME
        self._file = place.file
        self._gateway = "the gateway" if isinstance(place, Place) else place.entry.gateway.id

    @property
    def running(self) -> bool:
        """Tell whether a gateway answers; a socket that a killed one left behind does not."""
        try:
            self.get("/api/session")
        except Rejected:
            return False
        return True

    def get(self, path: str, **params: str | int) -> Any:
        """Return the JSON of a GET."""
        return self._call("GET", path, params=params)

    def post(self, path: str, body: dict[str, Any]) -> Any:
        """Return the JSON of a POST; None where it answers nothing."""
        return self._call("POST", path, json=body)

    def delete(self, path: str) -> None:
        """Send a DELETE."""
        self._call("DELETE", path)

    def events(self, path: str, **params: str | int) -> Iterator[tuple[str, Any]]:
        """Yield the server-sent events of a path as (name, data), until the gateway ends them."""
        name = "message"
        with (
            self._client(read_s=None) as client,
            client.stream("GET", path, params=params) as response,
        ):
            if response.status_code != httpx2.codes.OK:
                response.read()
                raise _problem(response)
            for line in response.iter_lines():
                if line.startswith("event:"):
                    name = line.removeprefix("event:").strip()
                elif line.startswith("data:"):
                    yield name, json.loads(line.removeprefix("data:"))
                elif not line:
                    name = "message"

    def _call(self, method: str, path: str, **arguments: Any) -> Any:
        with self._client(read_s=_TIMEOUT_S) as client:
            try:
                request = client.build_request(method, path, **arguments)
            except ValueError as error:
                raise Rejected("number", f"{error}; give a number that is finite") from error
            response = client.send(request)
        if not response.is_success:
            raise _problem(response)
        return response.json() if response.content else None

    @contextmanager
    def _client(self, read_s: float | None) -> Iterator[httpx2.Client]:
        """Give a client on the socket; what goes wrong with it is a sentence. Raises Rejected."""
        self._knock()
        try:
            with httpx2.Client(
                transport=httpx2.HTTPTransport(uds=str(self.path)),
                base_url="http://gateway",
                headers={"X-Requested-With": "citynerve"},
                timeout=httpx2.Timeout(_TIMEOUT_S, read=read_s),
            ) as client:
                yield client
        except httpx2.TimeoutException as error:
            raise Rejected(
                "no-answer",
                f"{self._gateway} runs but gave no answer within {_TIMEOUT_S:g} s; look at its load and log",
            ) from error
        except httpx2.HTTPError as error:
            raise Rejected("cut-off", f"{self._gateway} stopped while it answered ({error})") from error

    def _knock(self) -> None:
        """See whether anybody answers; the reasons why not are told apart here. Raises Rejected."""
        try:
            with socket.socket(socket.AF_UNIX) as door:
                door.connect(str(self.path))
        except PermissionError as error:
            raise Rejected(
                "no-permission",
                f"{self.path} is for the gateway's own user; run this as that user, such as "
                "`sudo -u citynerve-edge citynerve-edge …`",
            ) from error
        except OSError as error:
            raise Rejected(
                "not-running",
                f"{self._gateway} is not running (nobody answers at {self.path}); "
                f"start it: citynerve-edge run {self._file}",
            ) from error


def _problem(response: httpx2.Response) -> Exception:
    """Return an answer of RFC 9457 as the error that it was at the gateway."""
    try:
        body = response.json()
        if body.get("mistakes"):
            return ConfigError([Mistake(**mistake) for mistake in body["mistakes"]])
        return Rejected(str(body["code"]), str(body.get("detail") or body["code"]))
    except (ValueError, KeyError, TypeError, AttributeError):
        return Rejected("answer", f"the gateway answered {response.status_code} without a reason")


def control(file: Path) -> Control:
    """Return the gateway of a file; it runs its last good configuration where the file has mistakes.

    Raises ConfigError for a file whose gateway cannot be found by it.
    """
    folder = find_state_dir(file)
    if folder is not None and _has_socket(folder):
        return Control(Place(file, folder))
    return Control(open_plan(file).loaded)


def _has_socket(folder: Path) -> bool:
    """Tell whether a gateway has run there; a folder that is closed to us has one, for all we know."""
    try:
        return (folder / SOCKET_NAME).exists()
    except PermissionError:
        return True
