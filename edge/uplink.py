"""The line to the centre: waits for enrolment, sends and receives for ever, and hands on the orders.

not enrolled ──token──► sender · receiver · rotation · reporter, in one TaskGroup until cancelled
"""

from __future__ import annotations

import asyncio
from typing import Final

import msgspec
import structlog

from edge.house import House
from edge.link.client import CentreClient
from edge.link.credentials import Token
from edge.link.media import MediaSender
from edge.link.receiver import Receiver
from edge.link.reporter import Reporter
from edge.link.road import Road
from edge.link.rotation import Rotation
from edge.link.sender import Sender
from edge.link.trust import Trust
from edge.report import Report
from edge.updates.updater import Updater
from protocols.errors import Rejected
from protocols.model.command import Command, CommandState
from protocols.model.order import AlarmAct, ConfigPush, Order, Rotate, TakePicture, Update

_ENROLMENT_LOOK_S: Final = 2.0


class Uplink:
    """The link of a house to its centre; sender and receiver stand in the house while there is one."""

    def __init__(self, house: House, updater: Updater) -> None:
        self._house = house
        self._updater = updater
        self._rotation: Rotation | None = None
        self._centre: CentreClient | None = None
        self._answers = 0
        self._log = structlog.get_logger("edge.link")

    @property
    def answered(self) -> bool:
        """Whether the centre is reached, and has answered since the last `listen`."""
        road = self._house.road
        return road.state == "up" and road.answers > self._answers

    def listen(self) -> None:
        """Count only the answers from now on."""
        self._answers = self._house.road.answers

    def forget(self) -> None:
        """Begin anew at another centre, which has answered nothing yet; only after `run` has ended."""
        self._house.road, self._house.sender, self._house.receiver = Road("up"), None, None
        self.listen()

    async def run(self) -> None:
        """Wait until the gateway is enrolled, then send and receive for ever."""
        house = self._house
        loaded = house.plan.loaded
        entry = loaded.entry.centre
        if entry is None:
            self._log.info("no centre is configured; readings are kept here")
            return
        trust = Trust(loaded.ca_file, entry.pin, house.clock)
        token = Token(loaded.state_dir, house.plan.gateway, house.clock)
        await self._enrolled(token)
        async with CentreClient(entry.url, trust, token, house.clock) as centre:
            self._centre = centre
            self._rotation = Rotation(centre, token, entry.rotate_days, house.clock)
            report = Report(house, token)
            reporter = Reporter(
                centre, Road("status"), glance=report.glance, status=report.status, config=report.config
            )
            house.sender = Sender(
                house.buffer,
                centre,
                house.road,
                house.plan.declaration,
                house.timekeeper,
                house.plan.loaded.entry.storage.uplink,
            )
            house.receiver = Receiver(
                centre,
                Road("down"),
                await asyncio.to_thread(house.buffer.inbox_cursor),
                begin=house.commands.begin,
                execute=self._carry_out,
                clock=house.clock,
            )
            media = MediaSender(
                house.pictures.shelf,
                centre,
                Road("media"),
                quiet=house.sender.quiet,
                clock=house.clock,
                day_bytes=lambda: _day_bytes(house),
            )
            house.pictures.kept = media.wake
            async with asyncio.TaskGroup() as group:
                group.create_task(media.run(), name="media")
                group.create_task(house.sender.run(), name="sender")
                group.create_task(house.receiver.run(), name="receiver")
                group.create_task(self._rotation.run(), name="rotation")
                group.create_task(reporter.run(), name="reporter")

    async def _enrolled(self, token: Token) -> None:
        """Wait until there is a token, and say once why there is none."""
        told = ""
        while True:
            try:
                if token() is not None:
                    return
                reason = f"not enrolled; run: citynerve-edge enrol {self._house.plan.loaded.file} CODE"
            except Rejected as error:
                reason = str(error)
            if reason != told:
                self._log.warning("link waits for credentials", reason=reason)
                told = reason
            await asyncio.sleep(_ENROLMENT_LOOK_S)

    async def _carry_out(self, order: Order, offset_us: int) -> None:
        """Hand an order of the centre to the part that knows it."""
        commands = self._house.commands
        match order:
            case Command():
                await commands.execute(order, offset_us)
            case AlarmAct():
                await self._act(order, offset_us)
            case ConfigPush():
                await self._house.settings.push(order, offset_us)
            case Rotate() if self._rotation is not None:
                await commands.answer(order.id, *await self._rotation.obey(order, offset_us))
            case TakePicture():
                await commands.answer(order.id, *await self._house.pictures.obey(order, offset_us))
            case Update() if self._centre is not None:
                await self._updater.obey(order, offset_us, self._centre)
            case _:
                await commands.refuse(order.id, "not-supported", "this gateway does not know such orders")

    async def _act(self, act: AlarmAct, offset_us: int) -> None:
        """Do what a person at the centre asks of an alarm, and answer when it is on the disk."""
        until_us = None if act.until_us is None else act.until_us - offset_us
        act = msgspec.structs.replace(act, at_us=act.at_us - offset_us, until_us=until_us)
        commands, pipeline = self._house.commands, self._house.pipeline
        try:
            steps = pipeline.act(act)
        except Rejected as error:
            # The centre takes a refusal as the last word on the alarm: what was judged before goes first.
            await pipeline.settled()
            await commands.refuse(act.id, error.reason, str(error))
            return
        await pipeline.settled()
        reason = "done" if steps else "no-change"
        await commands.answer(act.id, CommandState.VERIFIED, reason, f"{len(steps)} steps")


def _day_bytes(house: House) -> int | None:
    asked = house.plan.loaded.entry.pictures
    return None if asked is None else asked.bytes_per_day
