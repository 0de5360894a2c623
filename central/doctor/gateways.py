"""Gateways: silent, behind, full, with a doubtful clock, an old token, a configuration taken back."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Sequence
from datetime import timedelta

from central.city.registry import Registry
from central.doctor.finding import Finding, Patient, Weight, span
from central.kernel.bus import Bus
from central.link.gateways import Gateways, GatewayView
from central.live.latest import LatestBoard
from protocols.model.clock import now_us

SILENT = timedelta(minutes=5)
LONG_SILENT = timedelta(days=1)
LAG_S = 300.0
BACKLOG = 500
OFFSET_MS = 2000.0
TOKEN_OLD = timedelta(days=200)
"""A gateway changes its token every 90 days; twice missed is a fault."""
ROOM_S = 86_400.0
UNCONFIRMED = frozenset({"refused", "rolled-back", "edited"})


def _named(gateways: Sequence[GatewayView]) -> str:
    names = ", ".join(gateway.id for gateway in gateways[:4])
    return f"{names}{' and others' if len(gateways) > 4 else ''}"


async def looks(patient: Patient) -> AsyncIterator[Finding]:
    """Everything that the centre knows of its gateways, one finding for all that share a fault."""
    latest = LatestBoard(now_us)
    await latest.load(patient.database)
    known = await Gateways(patient.database, Bus(), now_us, latest, Registry(patient.database)).list()
    active = [gateway for gateway in known if gateway.state not in {"revoked", "pending"}]
    heard = [gateway for gateway in active if _silent_for(patient, gateway) <= SILENT]

    def of(
        code: str, weight: Weight, among: Sequence[GatewayView], ill: Callable[[GatewayView], bool],
        what: str, why: str, repair: str,
    ) -> list[Finding]:  # fmt: skip
        found = [gateway for gateway in among if ill(gateway)]
        words = f"{len(found)} gateways {what}: {_named(found)}"
        return [Finding(code, weight, words, why, repair)] if found else []

    long = [gateway for gateway in active if _silent_for(patient, gateway) > LONG_SILENT]
    for finding in (
        *of(
            "gateways.silent", "error" if long else "warning", active,
            lambda one: _silent_for(patient, one) > SILENT,
            f"have been silent for more than {span(SILENT.total_seconds())}",
            "nothing is known of their part of the city; they keep their readings meanwhile",
            "citynerve-edge health FILE   # at the gateway: power, line, clock, `unknown-gateway`",
        ),
        *of(
            "gateways.behind", "warning", heard,
            lambda one: (one.backlog_batches or 0) > BACKLOG or (one.lag_s or 0.0) > LAG_S,
            f"are more than {span(LAG_S)} or {BACKLOG} batches behind",
            "their newest values are old; a backlog that shrinks needs nothing",
            "citynerve-edge queue FILE   # at the gateway: how much waits and when it will be sent",
        ),
        *of(
            "gateways.aside", "warning", active, lambda one: (one.set_aside or 0) > 0,
            "have batches that the centre refused", "they will never come by themselves",
            "citynerve-edge queue FILE   # at the gateway: names the reason",
        ),
        *of(
            "gateways.full", "error", active,
            lambda one: one.storage_left_s is not None and one.storage_left_s < ROOM_S,
            f"have room for less than {span(ROOM_S)}", "then old readings are thinned, and at last dropped",
            "citynerve-edge queue FILE   # at the gateway: then the line, or storage.max_bytes",
        ),
        *of(
            "gateways.clock", "warning", heard, lambda one: abs(one.clock_offset_ms or 0.0) > OFFSET_MS,
            f"have a clock that is more than {OFFSET_MS / 1000:.0f} s off",
            "their readings and alarms stand at the wrong time",
            "timedatectl set-ntp true   # at the gateway",
        ),
        *of(
            "gateways.token", "warning", active,
            lambda one: one.token_at is not None and patient.now - one.token_at > TOKEN_OLD,
            f"use a token older than {TOKEN_OLD.days} days", "they should have exchanged it by themselves",
            "citynerve gateway rotate ID --wait",
        ),
        *of(
            "gateways.config", "warning", active, lambda one: one.config_state in UNCONFIRMED,
            "do not run the configuration that is wanted",
            "it was refused, taken back, or edited on the spot",
            "citynerve gateway orders ID   # says why; push again, or accept what runs",
        ),
        *of(
            "gateways.audit", "error", active, lambda one: bool(one.audit_warning),
            "have an audit trail that was cut or rewritten", "somebody may have hidden what was done there",
            "look at the gateway's page in the console, then accept the trail there",
        ),
    ):  # fmt: skip
        yield finding


def _silent_for(patient: Patient, gateway: GatewayView) -> timedelta:
    return timedelta.max if gateway.last_seen is None else patient.now - gateway.last_seen


LOOKS = (looks,)
