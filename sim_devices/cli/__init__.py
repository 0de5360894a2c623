"""`citynerve-sim`: simulated field devices for demonstrations and for anyone's CI."""

from __future__ import annotations

import typer

from sim_devices.cli.city import city
from sim_devices.cli.device import device
from sim_devices.cli.gateway import gateway
from sim_devices.cli.listing import listing

app = typer.Typer(
    name="citynerve-sim",
    help=(
        "Simulated field devices on real protocols: Modbus TCP, OPC UA, MQTT and HTTP cameras.\n\n"
        "Everything listens on 127.0.0.1 unless --host says otherwise; Ctrl-C ends it and frees every port."
    ),
    no_args_is_help=True,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
    add_completion=True,
)
app.command("city")(city)
app.command("device")(device)
app.command("gateway")(gateway)
app.command("list")(listing)


def main() -> None:
    """Run the command line."""
    app()
