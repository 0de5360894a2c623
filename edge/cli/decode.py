"""`citynerve-edge decode`: what raw registers may mean, from a listing or read live."""

from __future__ import annotations

import asyncio
import json
from dataclasses import asdict
from datetime import UTC, datetime
from typing import Annotated

import typer

from edge.cli.findings import Profiles
from edge.cli.scan import modbus_line
from edge.cli.terminal import AsJson, reported
from edge.cli.words import table
from edge.tools.decode import Fit, Guess, fits
from edge.tools.decode import decode as ranked
from edge.tools.profiles import known_profiles
from protocols.errors import Rejected

_SHOWN = 12
_HEAD = ("SCORE", "AT", "TYPE", "ORDER", "VALUE", "WHY")


def decode(
    registers: Annotated[
        list[str] | None,
        typer.Argument(metavar="[REGISTERS]...", help="Registers as 0x4248 or 16968, in wire order."),
    ] = None,
    host: Annotated[
        str | None,
        typer.Option(
            help="Read them now: HOST[:PORT] of a Modbus TCP line, or a serial port.", metavar="LINE"
        ),
    ] = None,
    transport: Annotated[
        str | None, typer.Option(help="How --host is spoken to: tcp, rtu-over-tcp, udp or tls.")
    ] = None,
    baud: Annotated[int, typer.Option(help="Speed of a serial port.", min=300, max=4_000_000)] = 9600,
    parity: Annotated[str, typer.Option(help="Parity of a serial port: none, even or odd.")] = "none",
    unit: Annotated[int, typer.Option(help="Unit id to read from.", min=0, max=255)] = 1,
    place: Annotated[
        str | None,
        typer.Option(
            "--address", help="Wire address (from 0) of the first register: 0x0034 or 52.", metavar="N"
        ),
    ] = None,
    fc: Annotated[int, typer.Option(help="Function code: 3 holding, 4 input registers.", min=3, max=4)] = 3,
    count: Annotated[int, typer.Option(help="Registers to read with --host.", min=1, max=100)] = 2,
    neighbours: Annotated[
        int,
        typer.Option(
            help="Also read so many before and after: manuals count from 0 or from 1.", min=0, max=10
        ),
    ] = 1,
    profiles: Profiles = None,
    everything: Annotated[
        bool, typer.Option("--all", help=f"Show all readings, not the best {_SHOWN}.")
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Show registers as every type, word order and neighbour, the likeliest first, and profiles that fit.

    The score is evidence in bits: above 8 it is worth believing. AT counts registers from the one asked for.

    \b
    Example: citynerve-edge decode 0x4248 0x0000

    \b
    Example: citynerve-edge decode --host 192.0.2.10 --unit 7 --fc 4 --address 0x0034

    \b
    Example: citynerve-edge decode --host /dev/serial/by-id/usb-FTDI-if00 --baud 2400 --fc 4 --address 0
    """
    with reported():
        known = list(known_profiles(profiles).values())
        at = None if place is None else number(place, "an address")
        if host is None:
            words, before = parse(registers or []), 0
        elif at is None or registers:
            raise Rejected("address", "with --host give --address and no registers")
        else:
            from edge.tools.reading import read_registers  # noqa: PLC0415 - pymodbus, only where it is asked

            line = modbus_line(host, transport, None, None, serial=False)
            if "device" in line:
                line |= {"baud": baud, "parity": parity}
            words, before = asyncio.run(read_registers(line, unit, fc, at, count, neighbours))
        guesses = ranked(words, before=before, address=at, fc=fc, profiles=known, now=datetime.now(UTC))
        matching = (
            [fit for fit in fits(words, at - before, fc, known) if fit.score > 0] if at is not None else []
        )
    if as_json:
        typer.echo(
            json.dumps(
                {
                    "registers": words,
                    "before": before,
                    "readings": [asdict(guess) for guess in guesses],
                    "profiles": [asdict(fit) for fit in matching],
                },
                ensure_ascii=False,
                indent=2,
            )
        )
        return
    _print(words, before, guesses if everything else guesses[:_SHOWN], matching)


def parse(texts: list[str]) -> list[int]:
    """Return registers from what a person typed: 0x4248, 16968, or 0x42480000 for two. Raises Rejected."""
    words: list[int] = []
    for text in " ".join(texts).replace(",", " ").split():
        digits = text[2:] if text.lower().startswith("0x") else ""
        if len(digits) > 4 and len(digits) % 4 == 0:
            words += [number(f"0x{digits[i : i + 4]}", "a register") for i in range(0, len(digits), 4)]
        else:
            words.append(number(text, "a register"))
    if not words:
        raise Rejected("registers", "give registers such as 0x4248 0x0000, or --host and --address")
    return words


def number(text: str, what: str) -> int:
    """Return a hexadecimal or decimal number from 0 to 65535. Raises Rejected."""
    try:
        found = int(text, 16) if text.lower().startswith("0x") else int(text)
    except ValueError:
        found = -1
    if not 0 <= found <= 0xFFFF:
        raise Rejected("registers", f"{text!r} is not {what}; write 0x4248 or 16968, from 0 to 65535")
    return found


def _print(words: list[int], before: int, guesses: list[Guess], matching: list[Fit]) -> None:
    shown = " ".join(f"{'>' if i == before and before else ''}{word:04X}" for i, word in enumerate(words))
    typer.echo(f"registers {shown}")
    rows = [_HEAD]
    for guess in guesses:
        value = f"{guess.value:.9g}" if isinstance(guess.value, float) else str(guess.value)
        of = f", {guess.profile}.{guess.point}" if guess.profile else ""
        where = f"{guess.offset:+d}" if guess.offset else "0"
        shown = f"{value} {guess.unit}".strip()
        order = guess.order if guess.registers > 1 or guess.order != "ABCD" else ""
        rows.append((f"{guess.score:.1f}", where, guess.type, order, shown[:40], "; ".join(guess.why) + of))
    for line in table(rows):
        typer.echo(line)
    for fit in matching[:3]:
        typer.echo(f"profile {fit.profile} ({fit.name}): {fit.good} of {fit.tried} points believable")
