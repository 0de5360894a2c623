"""What waits: rollups, commands and orders, jobs."""

from __future__ import annotations

from collections.abc import AsyncIterator

from central.doctor.finding import Finding, Patient, span

MARKS = 50_000
RECENT_MARKS = 10
ORDER_S = 3600.0
JOB_S = 900.0

ROLLUP = """
SELECT count(*), coalesce(extract(epoch FROM now() - min(minute)), 0)::float8,
    count(*) FILTER (WHERE minute BETWEEN now() - interval '30 minutes' AND now() - interval '10 minutes')
FROM rollup_dirty
"""
"""The newest are rolled first: minutes of the last half hour that wait mean that nothing is rolled at all,
older ones alone that a backlog is being worked off."""
COMMANDS = """
SELECT count(*) FROM commands
WHERE finished_at IS NULL AND expires_at < now() - interval '1 minute'
"""
ORDERS = """
SELECT gateway, count(*), extract(epoch FROM now() - min(issued_at))::float8 FROM orders
WHERE finished_at IS NULL AND delivered_at IS NULL AND issued_at < now() - %s * interval '1 second'
GROUP BY gateway ORDER BY 3 DESC
"""

JOBS = """
SELECT count(*) FILTER (WHERE state = 'waiting' AND next_at < now() - %s * interval '1 second'),
    coalesce(extract(epoch FROM now() - min(next_at) FILTER (WHERE state = 'waiting')), 0)::float8,
    count(*) FILTER (WHERE state = 'dead')
FROM jobs
"""


async def rollups(patient: Patient) -> AsyncIterator[Finding]:
    """Minutes are rolled up soon after they are over."""
    marks, oldest, recent = await patient.row(ROLLUP)
    if marks > MARKS or recent > RECENT_MARKS:
        yield Finding(
            "rollups.behind", "warning",
            f"{marks:,} minutes wait for their rollup, the oldest reading of them {span(oldest)} old",
            "trends stay right but slow: those minutes are computed from the readings each time; retention"
            " waits for them",
            "journalctl -u citynerve | grep timer.failed   # after an outage the backlog shrinks by itself",
        )  # fmt: skip


async def outbox(patient: Patient) -> AsyncIterator[Finding]:
    """Commands end by their time; orders reach their gateway."""
    (late,) = await patient.row(COMMANDS)
    if late:
        yield Finding(
            "outbox.expiry", "error", f"{late} commands are past their time and have not been ended",
            "the timer that ends them does not run: no centre works on this database, or it fails",
            "systemctl status citynerve; journalctl -u citynerve | grep timer.failed",
        )  # fmt: skip
    waiting = await patient.rows(ORDERS, ORDER_S)
    if waiting:
        gateway, count, seconds = waiting[0]
        yield Finding(
            "outbox.orders", "warning",
            f"{len(waiting)} gateways do not fetch their orders; {count} wait for {gateway} since"
            f" {span(seconds)}",
            "a configuration, a new token or an act on an alarm has not reached it",
            f"citynerve gateway orders {gateway}",
        )  # fmt: skip


async def jobs(patient: Patient) -> AsyncIterator[Finding]:
    """Jobs (notices, webhooks) are done when they are due."""
    if not await patient.has("jobs"):
        return
    late, oldest, dead = await patient.row(JOBS, JOB_S)
    if late:
        yield Finding(
            "jobs.late", "error", f"{late} jobs are overdue, the oldest by {span(oldest)}",
            "notices and webhooks do not go out", "systemctl status citynerve; journalctl -u citynerve",
        )  # fmt: skip
    if dead:
        yield Finding(
            "jobs.dead", "warning", f"{dead} jobs were given up",
            "somebody was not told", "look at the deliveries of the notices in the console",
        )  # fmt: skip


LOOKS = (rollups, outbox, jobs)
