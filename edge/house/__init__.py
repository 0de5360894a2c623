"""What is running now, for those who look at it: the technician's page, the status that the centre is told.

The app builds it and puts other parts in when the configuration changes; whoever looks keeps the house,
never a part of it.
"""

from __future__ import annotations

from dataclasses import dataclass

from edge.adoption import Adopter
from edge.audit import Audit
from edge.buffer.base import Buffer
from edge.commands import Actions, Commands
from edge.config.bind import Plan
from edge.link.receiver import Receiver
from edge.link.road import Road
from edge.link.sender import Sender
from edge.pictures import Pictures
from edge.pipeline import Pipeline
from edge.poller import Poller
from edge.session import Session
from edge.timekeeping import Timekeeper
from edge.versions import Settings
from protocols.model.clock import Clock


@dataclass(slots=True)
class House:
    """The parts of a running gateway; `sessions` and `pollers` by connection. No link before enrolment."""

    plan: Plan
    clock: Clock
    timekeeper: Timekeeper
    buffer: Buffer
    pipeline: Pipeline
    audit: Audit
    commands: Commands
    actions: Actions
    settings: Settings
    sessions: dict[str, Session]
    pollers: dict[str, Poller]
    road: Road
    pictures: Pictures
    adopter: Adopter
    sender: Sender | None = None
    receiver: Receiver | None = None
