"""`citynerve-edge bundle`: everything that helps from afar, in one file, without secrets."""

from __future__ import annotations

import io
import json
import os
import tarfile
import time
from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path
from typing import Annotated, Any, Final

import typer

from edge.buffer.glance import glance, tables
from edge.cli.check import describe
from edge.cli.control import SOCKET_NAME, Control
from edge.cli.terminal import GatewayFile, reported
from edge.config.bind import Plan
from edge.config.document import read
from edge.opening import open_plan, read_tasks
from edge.tools import support
from edge.tools.secrets import Masker, known_secrets
from protocols.errors import CityNerveError, ConfigError, Rejected

_MAX_TEXT: Final = 4 * 1024 * 1024
_ASKED: Final = {
    "overview.json": "/api/overview",
    "devices.json": "/api/devices",
    "alarms.json": "/api/alarms",
    "queue-running.json": "/api/queue",
    "config.json": "/api/config",
    "log.json": "/api/log?level=debug",
}
_SECRET_FILES: Final = (
    "password_file",
    "key_file",
    "key_password_file",
    "token_file",
    "user_key",
    "private_key",
)
_README: Final = """\
Support bundle of a CityNerve gateway, made {when}.

Passwords, tokens, hashes and private keys are replaced by ***; look through it before you send it on.
gateway.yaml    the gateway file; profiles/ its own device profiles
check.txt       what `citynerve-edge check` says
queue.json      what waits in the buffer; tables.json its tables; files.txt the files of the state folder
audit.txt       number and seal of the newest entry of the local audit
*.json          what the gateway said, where it was running
versions.txt system.txt journal.txt clock.txt addresses.txt   this machine
"""


def bundle(
    file: GatewayFile,
    out: Annotated[
        Path | None,
        typer.Option(help="Where it is written; bundle-GATEWAY-TIME.tar.gz here.", metavar="FILE"),
    ] = None,
) -> None:
    """Pack configuration, health, queue, logs and versions for support, with all secrets taken out.

    Works with a broken gateway file and without a running gateway: what cannot be had says why.

    Example: citynerve-edge bundle gateway.yaml --out /tmp/bundle.tar.gz
    """
    with reported():
        if not file.is_file():
            raise Rejected("no-file", f"{file} is no file; name the gateway file of the gateway in question")
        plan = _plan(file)
        stamp = time.strftime("%Y%m%dT%H%M%SZ", time.gmtime())
        target = out or Path(f"bundle-{plan.gateway if plan else file.stem}-{stamp}.tar.gz")
        secrets = known_secrets(_state(file, plan), _files_of_secrets(file))
        variables = (os.environ.get(name, "") for name in _named(file, ("password_env",)))
        mask = Masker([*secrets, *variables])
        parts = {name: mask(text[-_MAX_TEXT:]) for name, text in _parts(file, plan)}
        try:
            _pack(target, target.name.removesuffix(".tar.gz"), parts)
        except OSError as error:
            raise Rejected(
                "cannot-write",
                f"{target} cannot be written: {error.strerror}; choose another place with --out",
            ) from error
    typer.echo(f"{target}: {len(parts)} files, {target.stat().st_size / 1000:.0f} kB; secrets are taken out")


def _plan(file: Path) -> Plan | None:
    try:
        return open_plan(file)
    except ConfigError:
        return None


def _state(file: Path, plan: Plan | None) -> Path:
    """Return the state folder, also of a file that has mistakes elsewhere."""
    if plan is not None:
        return plan.loaded.state_dir
    data = read(file).data
    named = data.get("state_dir") if isinstance(data, dict) else None
    return file.resolve().parent / str(named or "state")


def _files_of_secrets(file: Path) -> Iterator[Path]:
    """Yield every file that the gateway file names as one of secrets."""
    yield from (file.resolve().parent / name for name in _named(file, _SECRET_FILES))


def _named(file: Path, settings: tuple[str, ...]) -> Iterator[str]:
    """Yield what the gateway file says for some settings, wherever they stand in it."""

    def walk(value: Any) -> Iterator[str]:
        if isinstance(value, dict):
            for key, inner in value.items():
                if isinstance(inner, str) and str(key) in settings:
                    yield inner
                yield from walk(inner)
        elif isinstance(value, list):
            for inner in value:
                yield from walk(inner)

    yield from walk(read(file).data)


def _parts(file: Path, plan: Plan | None) -> Iterator[tuple[str, str]]:
    yield "README.txt", _README.format(when=time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()))
    yield "gateway.yaml", file.read_text(encoding="utf-8", errors="replace")
    yield "check.txt", _check(file)
    state = _state(file, plan)
    yield "files.txt", support.files(state)
    yield "queue.json", _told(lambda: _queue(state))
    yield "tables.json", _told(lambda: json.dumps(tables(state), indent=1))
    yield "audit.txt", _told(lambda: _audit(state))
    yield "versions.txt", support.versions()
    yield "system.txt", support.system(state)
    yield from support.commands()
    if plan is not None:
        own = plan.loaded.entry.profiles
        for path in sorted((file.resolve().parent / own).glob("*.yaml")) if own else ():
            yield f"profiles/{path.name}", path.read_text(encoding="utf-8", errors="replace")
        yield from _running(Control(plan.loaded))


def _running(gateway: Control) -> Iterator[tuple[str, str]]:
    if not gateway.running:
        yield "not-running.txt", f"nobody answered at {SOCKET_NAME} in the state folder\n"
        return
    for name, path in _ASKED.items():
        yield name, _told(lambda path=path: json.dumps(gateway.get(path), ensure_ascii=False, indent=1))


def _check(file: Path) -> str:
    try:
        plan = open_plan(file)
        return json.dumps(describe(plan, read_tasks(plan)), ensure_ascii=False, indent=1)
    except ConfigError as error:
        return "\n".join(str(mistake) for mistake in error.mistakes) + "\n"


def _queue(state: Path) -> str:
    seen = glance(state)
    record = {
        "boot": seen.boot,
        "size_bytes": seen.size_bytes,
        "streams": {stream: asdict(depth) for stream, depth in seen.depth.items()},
        "set_aside": [aside._asdict() for aside in seen.asides],
    }
    return json.dumps(record, ensure_ascii=False, indent=1)


def _audit(state: Path) -> str:
    from edge.audit.trail import entries  # noqa: PLC0415 - beside the only use

    newest = entries(state, 1)
    return "\n".join(str(entry) for entry in newest) + "\n"


def _told(part: Any) -> str:
    try:
        return str(part())
    except CityNerveError as error:
        return f"not to be had: {error}\n"


def _pack(target: Path, folder: str, parts: dict[str, str]) -> None:
    """Write the archive with mode 0600, whole or not at all."""
    fresh = target.with_name(target.name + ".new")
    fresh.unlink(missing_ok=True)
    with os.fdopen(os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
        with tarfile.open(fileobj=file, mode="w:gz") as archive:
            for name, text in parts.items():
                data = text.encode("utf-8", "replace")
                entry = tarfile.TarInfo(f"{folder}/{name}")
                entry.size, entry.mode, entry.mtime = len(data), 0o600, int(time.time())
                archive.addfile(entry, io.BytesIO(data))
        file.flush()
        os.fsync(file.fileno())
    fresh.replace(target)
