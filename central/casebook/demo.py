"""The units of the demo city (临江市): who is sent where in `citynerve demo`."""

from __future__ import annotations

from typing import Final

from sqlalchemy.ext.asyncio import AsyncSession

from central.casebook.schemas import Unit
from central.casebook.service import ensure_units
from central.kernel.shapes import Name

DEMO_UNITS: Final = (
    Unit(id="drainage-north", name=Name(zh="城北排水抢险队", en="Drainage crew north"), kind="drainage"),
    Unit(id="drainage-south", name=Name(zh="城南排水抢险队", en="Drainage crew south"), kind="drainage"),
    Unit(id="river-works", name=Name(zh="沿江闸站管理所", en="River works office"), kind="water"),
    Unit(id="traffic-police", name=Name(zh="交警疏导中队", en="Traffic squad"), kind="traffic"),
    Unit(id="lighting", name=Name(zh="路灯维护班", en="Street lighting crew"), kind="lighting"),
    Unit(id="environment", name=Name(zh="环境监测站", en="Environment station"), kind="environment"),
    Unit(id="instruments", name=Name(zh="仪表运维组", en="Instrument maintenance"), kind="maintenance"),
)


async def ensure_demo_units(session: AsyncSession) -> None:
    """Create the demo's units, or bring their names up to date."""
    await ensure_units(session, DEMO_UNITS)
