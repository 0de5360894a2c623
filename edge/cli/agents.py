"""`citynerve-edge scan snmp`: agents of a network, or the objects of one of them."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from edge.cli.findings import Profiles, address, tell
from edge.cli.terminal import AsJson, reported
from edge.tools.agents import scan_snmp
from edge.tools.profiles import known_profiles


def snmp(
    host: Annotated[
        str, typer.Argument(metavar="HOST[:PORT]", help="Address of an agent, or a network: 192.0.2.0/24.")
    ],
    walk: Annotated[
        str,
        typer.Option(help="Show the objects under this id: 1.3.6.1.2.1.33 is the UPS-MIB.", metavar="OID"),
    ] = "",
    most: Annotated[int, typer.Option(help="Stop a walk after so many objects.", min=1)] = 1000,
    version: Annotated[str, typer.Option(help="1, 2c or 3.", metavar="VERSION")] = "2c",
    community_file: Annotated[
        Path | None, typer.Option(help="File with the community; without one, public.", metavar="FILE")
    ] = None,
    username: Annotated[str | None, typer.Option(help="User of version 3.")] = None,
    auth: Annotated[str | None, typer.Option(help="Authentication: sha256, sha, md5, …")] = None,
    auth_file: Annotated[
        Path | None, typer.Option(help="File with the pass phrase of authentication.", metavar="FILE")
    ] = None,
    priv: Annotated[str | None, typer.Option(help="Encryption: aes, aes192, aes256, des.")] = None,
    priv_file: Annotated[
        Path | None, typer.Option(help="File with the pass phrase of encryption.", metavar="FILE")
    ] = None,
    timeout: Annotated[float, typer.Option(help="Seconds to wait for each agent.", min=0.1, max=60)] = 1.0,
    profiles: Profiles = None,
    as_json: AsJson = False,
) -> None:
    """Find SNMP agents, who they say they are and the profile that fits each, or walk the objects of one.

    Sixteen addresses are asked at a time. An agent says nothing to a wrong community.

    \b
    Example: citynerve-edge scan snmp 192.0.2.0/24

    \b
    Example: citynerve-edge scan snmp 192.0.2.30 --walk 1.3.6.1.2.1.33
    """
    with reported():
        name, port = host, None
        if "/" not in host:
            name, port = address(host, 161)
        given = {
            "version": version, "community_file": community_file, "username": username, "auth": auth,
            "auth_file": auth_file, "priv": priv, "priv_file": priv_file,
        }  # fmt: skip
        events = scan_snmp(
            name, port, walk=walk, most=most, timeout_s=timeout, settings=given,
            profiles=known_profiles(profiles).values(),
        )  # fmt: skip
        tell(
            events, as_json, "nobody answered; check version and community, and that agents let this host in"
        )
