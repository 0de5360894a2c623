"""What the `scan` commands share: options, addresses, and how findings are told."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Annotated, Any

import typer
import yaml

from edge.cli.progress import Bar
from edge.cli.terminal import FAILED
from edge.cli.words import plain
from edge.tools.scan import Events, host_name
from protocols.errors import Rejected
from protocols.field.scanning import Found

Host = Annotated[
    str, typer.Argument(metavar="HOST[:PORT]", help="Address; the protocol's port where none is given.")
]
Profiles = Annotated[
    Path | None, typer.Option("--profiles", help="Folder with profiles of your own.", metavar="DIR")
]
User = Annotated[str | None, typer.Option("--username", help="User name; without one, anonymous.")]
Secret = Annotated[
    Path | None,
    typer.Option("--password-file", help="File whose first line is the password.", metavar="FILE"),
]
SecretEnv = Annotated[
    str | None,
    typer.Option("--password-env", help="Environment variable that holds the password.", metavar="NAME"),
]
Gateway = Annotated[
    Path | None,
    typer.Option(
        "--gateway",
        help="Gateway file: while that gateway runs, it scans beside its polling.",
        metavar="FILE",
    ),
]
Tls = Annotated[bool, typer.Option("--tls", help="Secure the connection; the port is then 8883.")]
CaFile = Annotated[
    Path | None, typer.Option("--ca-file", help="Authority that signed the broker, PEM.", metavar="FILE")
]
CertFile = Annotated[
    Path | None, typer.Option("--cert-file", help="Own certificate, PEM, with --key-file.", metavar="FILE")
]
KeyFile = Annotated[Path | None, typer.Option("--key-file", help="Its private key, PEM.", metavar="FILE")]
KeySecret = Annotated[
    Path | None,
    typer.Option("--key-password-file", help="File whose first line opens that key.", metavar="FILE"),
]


def address(text: str, port: int) -> tuple[str, int]:
    """Return host and port of `host`, `host:port` or `[v6]:port`. Raises Rejected."""
    host, colon, number = text.rpartition(":")
    if not colon or text.endswith("]") or (":" in host and not host.startswith("[")):
        host, number = text, str(port)
    host = host.strip("[]")
    if not host or not number.isdecimal() or not 0 < int(number) < 65_536:
        raise Rejected("address", f"{text!r} is no address; write it like 192.0.2.10:{port}")
    return host_name(host), int(number)


def collected(events: Events, shown: Callable[[Found], None] | None = None) -> list[Found]:
    """Return what a scan found, with a bar while it runs; `shown` is told of each finding as it comes."""
    bar = Bar()

    async def collect() -> list[Found]:
        found = []
        async for event in events:
            if not isinstance(event, Found):
                bar.show(event)
                continue
            found.append(event)
            if shown is not None:
                bar.clear()
                shown(event)
        return found

    try:
        return asyncio.run(collect())
    finally:
        bar.clear()


def tell(events: Events, as_json: bool, nobody: str) -> None:
    """Print what a scan finds as it finds it, then what a gateway file would say. Exit code 1 for nothing."""
    found = collected(events, None if as_json else _print)
    if as_json:
        typer.echo(json.dumps({"found": [asdict(item) for item in found]}, ensure_ascii=False, indent=2))
    elif found:
        typer.echo(suggestion(found), nl=False)
    if not found:
        typer.echo(nobody, err=True)
        raise typer.Exit(FAILED)


def _print(found: Found) -> None:
    name = "" if found.kind == "unit" else f"{found.kind} {found.key}: "
    typer.echo(plain(name + found.title))


def suggestion(found: Sequence[Found]) -> str:
    """Return what a gateway file would say of the findings, as YAML; "" where there is nothing to say."""
    connections: list[dict[str, Any]] = []
    devices: list[dict[str, Any]] = []
    for item in found:
        line = item.suggestion.get("connections")
        if line and line not in connections:
            connections.append(line)
        device = item.suggestion.get("devices")
        if device and line:
            entry = {"connection": f"line{connections.index(line) + 1}", **device}
            if entry not in devices:
                devices.append(entry)
    if not devices:
        return ""
    lines = ["", "# for the gateway file; give each device a key, a name and a site:", "connections:"]
    lines += [f"  - {_flow({'key': f'line{i}', **line})}" for i, line in enumerate(connections, 1)]
    lines += ["devices:", *(f"  - {_flow(device)}" for device in devices)]
    return "\n".join(lines) + "\n"


def _flow(entry: dict[str, Any]) -> str:
    text: str = yaml.safe_dump(
        entry, default_flow_style=True, sort_keys=False, allow_unicode=True, width=10_000
    )
    return text.strip()
