"""kill -9 of a gateway process in the middle of an action: told as unknown, and never done twice."""

from __future__ import annotations

import asyncio
import signal
from pathlib import Path

import pytest

from edge.audit import verify
from edge.buffer.glance import glance
from edge.buffer.sqlite import SqliteBuffer
from protocols.model.command import CommandState, Reason
from tests.edge.commands.station import LEVEL, PUMP1, station_file
from tests.edge.commands.test_actions import DRAIN
from tests.edge.commands.test_commands import told
from tests.edge.field import ModbusField
from tests.edge.house import until
from tests.edge.test_faults import process

pytestmark = pytest.mark.faults


async def test_an_action_cut_short_is_unknown_and_never_repeated(tmp_path: Path) -> None:
    async with ModbusField() as field:
        path = station_file(tmp_path, field.port, actions=[DRAIN])
        field.set(1, LEVEL, 1000)
        field.delay_writes = asyncio.Event()
        async with process(path, signal.SIGKILL):
            await until(lambda: field.requests[1] > 5)
            field.set(1, LEVEL, 3500)
            await until(lambda: field.writes)
        field.delay_writes.set()
        seen = field.requests[1]
        async with process(path, signal.SIGTERM):
            await until(lambda: field.requests[1] > seen + 20)
            await until(lambda: glance(tmp_path / "state").depth["outcomes"].rows)
    buffer = SqliteBuffer(tmp_path / "state")
    (outcome,) = told(buffer)
    buffer.close()
    assert (outcome.state, outcome.reason, outcome.issued_by, outcome.point) == (
        CommandState.UNKNOWN,
        Reason.INTERRUPTED,
        "action:drain",
        "st.pump1",
    )
    assert [values for _, at, values in field.writes if at == PUMP1] == [[1]]
    proof = verify(tmp_path / "state")
    assert (proof.tampering, proof.last) == ((), 1)


async def test_local_manual_mode_outlives_a_kill(tmp_path: Path) -> None:
    async with ModbusField() as field:
        path = station_file(tmp_path, field.port, actions=[DRAIN])
        field.set(1, LEVEL, 1000)
        async with process(path, signal.SIGKILL):
            await until(lambda: field.requests[1] > 5)
            control = str(tmp_path / "state" / "control.sock")
            await _post(control, "/api/manual", '{"device": "st", "on": true, "reason": "work"}')
        async with process(path, signal.SIGTERM):
            field.set(1, LEVEL, 3500)
            await until(lambda: glance(tmp_path / "state").depth["outcomes"].rows)
    buffer = SqliteBuffer(tmp_path / "state")
    (outcome,) = told(buffer)
    buffer.close()
    assert (outcome.state, outcome.reason) == (CommandState.REJECTED, Reason.LOCAL_MANUAL)
    assert field.writes == []


async def _post(door: str, path: str, body: str) -> None:
    """POST as the command line does, when the door is open."""
    await until(lambda: Path(door).is_socket())
    reader, writer = await asyncio.open_unix_connection(door)
    head = f"POST {path} HTTP/1.1\r\nHost: gateway\r\nX-Requested-With: citynerve\r\nConnection: close\r\n"
    writer.write(
        f"{head}Content-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n{body}".encode()
    )
    await writer.drain()
    answer = await reader.read()
    writer.close()
    await writer.wait_closed()
    assert b"200 OK" in answer.splitlines()[0], answer
