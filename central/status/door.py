"""Who may ask for the state of the centre: this machine, and networks that the settings name.

Figures by gateway tell a stranger how a city is built and when it is blind, so they are not for everybody.
Behind a proxy on this machine the address is the one that the proxy gives (`X-Forwarded-For`).
"""

from __future__ import annotations

import ipaddress
from collections.abc import Sequence

from central.kernel.problem import Problem

Network = ipaddress.IPv4Network | ipaddress.IPv6Network


class Door:
    """Lets in whose address is in one of the networks; a connection over a Unix socket has none, and may."""

    def __init__(self, networks: Sequence[str]) -> None:
        self._networks: list[Network] = [ipaddress.ip_network(network) for network in networks]

    def admit(self, client: tuple[str, int] | None) -> None:
        """Raise Problem 403 `status-closed` for somebody else."""
        if client is None:
            return
        try:
            address = ipaddress.ip_address(client[0])
        except ValueError:
            return  # the peer of a Unix socket
        if isinstance(address, ipaddress.IPv6Address) and address.ipv4_mapped is not None:
            address = address.ipv4_mapped
        if not any(address.version == net.version and address in net for net in self._networks):
            raise Problem(
                403,
                "status-closed",
                "Not for your address",
                f"{address} is in none of the networks that may ask; name yours in CITYNERVE_STATUS_FROM.",
            )
