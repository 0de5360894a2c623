"""One line and its order: a question out, its own answer in, or an error that says what happened.

    ask ─→ pause, silence of the line ─→ flush ─→ frame ─→ wire ─→ … ─→ framing ─→ the answer of this question

A late answer is never taken for the next one. Where frames are numbered (`Mbap`) its number tells. Where they
are not (`Rtu`), a unit that stayed silent owes an answer: until that has come or cannot come any more, it is
asked nothing else, and over TCP the connection is closed, because a serial server may still hand it on.
"""

from __future__ import annotations

import asyncio
import contextlib
import time
from dataclasses import dataclass
from typing import Final

from protocols.errors import BadFrame, ConnectionLost, DeviceTimeout
from protocols.field.modbus.answers import BUSY
from protocols.field.modbus.dial_in import DialInWire
from protocols.field.modbus.frames import Answer, Question
from protocols.field.modbus.rfc2217 import Rfc2217Wire
from protocols.field.modbus.settings import SERIAL, ModbusSettings
from protocols.field.modbus.wires import Ear, SerialWire, TcpWire, Wire, network_wire
from protocols.model.device import Limits
from protocols.model.quality import Quality

SILENT_REQUESTS: Final = 12
"""So many requests in a row without any answer, of every unit there is, and the connection counts as dead."""
BUSY_PAUSE_S: Final = 0.1
_DAMAGED_S: Final = 0.05
"""After a damaged answer the rest of it has so long to come; then nothing better is waited for."""
_NUMBERS: Final = 65_535
_now = time.monotonic
"""The silence of a serial line is shorter than the steps of some loops' own clocks."""


@dataclass(frozen=True, slots=True)
class _Debt:
    """An answer that a unit of an unnumbered line still owes; it may come until twice its time is over."""

    question: Question
    expires: float


class Line:
    """The connection that all units share; questions go one after the other."""

    def __init__(
        self,
        wire: Wire,
        *,
        pause_s: float = 0.0,
        settle_s: float = 0.0,
        units: int = 1,
        anew: bool = False,
        echo: bool = False,
    ) -> None:
        """`pause_s` lies before each request, `settle_s` after each connecting; `units` live on the line.

        anew: each request gets a connection of its own. echo: the adapter hears what it sends.
        """
        self.name = wire.name
        self.frame_errors = 0
        """Answers that nobody had asked for, or that were damaged."""
        self.requests = 0
        self.attempts = 0
        self._wire = wire
        self._framing = wire.framing
        self._pause_s, self._settle_s = pause_s, settle_s
        self._units, self._anew, self._echo = units, anew, echo
        self._ear: Ear | None = None
        self._lost = ""
        self._buffer = bytearray()
        self._number = 0
        self._question: Question | None = None
        self._waiting: asyncio.Future[bytes] | None = None
        self._expires = 0.0
        self._looks = 0.0
        self._watch: asyncio.TimerHandle | None = None
        self._quiet_since = 0.0
        self._sent = b""
        self._silent = 0
        self._silent_units: set[int] = set()
        self._debts: dict[int, _Debt] = {}

    @property
    def wire_s(self) -> float:
        """Seconds that one byte takes on the wire; 0 where that does not count."""
        return self._wire.seconds(1)

    async def open(self) -> None:
        """Connect. Raises ConnectionLost with the reason in words."""
        ear = self._ear = Ear(self._heard, lambda why: self._ended(ear, why))
        self._lost = ""
        self._buffer.clear()
        try:
            await self._wire.open(ear)
        except BaseException:
            await self.close()
            raise
        if self._settle_s:
            await asyncio.sleep(self._settle_s)

    async def close(self) -> None:
        """Close the connection; safe at any time."""
        self._ear = None
        if self._watch is not None:
            self._watch.cancel()
            self._watch = None
        self._wire.close()
        await self._wire.closed()

    async def ask(self, question: Question, limits: Limits, retries: int, pause_s: float = 0.0) -> Answer:
        """Return the answer to this very question, which may be an exception of the device.

        `pause_s` is the rest that its unit needs before it; `attempts` then says how often it was asked.
        Raises DeviceTimeout or BadFrame, after `retries` further attempts, or ConnectionLost.
        """
        attempt = 0
        while True:
            self.attempts = attempt + 1
            try:
                answer = await self._exchange(question, limits, again=attempt > 0, pause_s=pause_s)
            except (DeviceTimeout, BadFrame):
                if attempt == retries:
                    raise
            else:
                if answer.code not in BUSY or attempt == retries:
                    return answer
                await asyncio.sleep(BUSY_PAUSE_S * 2**attempt)
            attempt += 1

    async def probe(self, question: Question, limits: Limits) -> Answer | None:
        """Ask once somebody who may not be there; None for silence, which says nothing about the line.

        Raises ConnectionLost, and BadFrame where something came that cannot be read.
        """
        silent, units = self._silent, set(self._silent_units)
        self._silent = 0
        try:
            return await self._exchange(question, limits)
        except DeviceTimeout:
            self._silent, self._silent_units = silent, units
            return None

    # ---- one exchange ----

    async def _exchange(
        self, question: Question, limits: Limits, again: bool = False, pause_s: float = 0.0
    ) -> Answer:
        """Ask once. `again`: the same question was asked right before, so its late answer is as good."""
        await self._ready(question, again, pause_s)
        self._number = self._number % _NUMBERS + 1
        frame = self._framing.wrap(question, self._number)
        # What the line itself takes is not the device's time.
        time_s = limits.timeout_ms / 1000 + self._wire.seconds(
            len(frame) + self._framing.size(question.answer_bytes)
        )
        strays = self._framing.strays
        sent = _now()
        self.requests += 1
        try:
            pdu = await self._hear(question, time_s, frame)
        except TimeoutError:
            self._owe(question, time_s)
            raise self._unanswered(question, limits) from None
        except BadFrame as error:
            self.frame_errors += 1
            if self._framing.damaged and isinstance(self._wire, TcpWire):
                self._hang_up()  # where frames begin in this stream nobody knows any more
            raise BadFrame(f"{self.name} unit {question.unit}: {error}", error.quality) from error
        except asyncio.CancelledError:
            self._owe(question, time_s)
            raise
        finally:
            self.frame_errors += self._framing.strays - strays
            if self._anew:
                self._hang_up()
        if again and question.unit in self._debts:
            self._debts[question.unit] = _Debt(question, sent + 2 * time_s)
        self._silent = 0
        self._silent_units.clear()
        return Answer.of(question.unit, pdu)

    async def _hear(self, question: Question, time_s: float, frame: bytes = b"") -> bytes:
        """Send `frame`, and return the PDU that answers `question`. Raises TimeoutError and BadFrame."""
        self._buffer.clear()
        self._framing.damaged = False
        self._question, self._waiting = question, asyncio.get_running_loop().create_future()
        self._sent = frame if self._echo else b""
        self._limit(time_s)
        try:
            if frame:
                self._wire.send(frame)
            return await self._waiting
        finally:
            self._question = self._waiting = None
            self._quiet_since = _now()

    async def _ready(self, question: Question, again: bool, pause_s: float) -> None:
        """Wait until this question may go out: a whole line, its silence, and no answer owed by the unit."""
        if self._ear is None:
            if self._lost != _OURS:
                raise ConnectionLost(f"{self.name}: {self._lost or 'not open'}", Quality.BAD_NO_COMMUNICATION)
            await self.open()
        debt = None if again else self._debts.pop(question.unit, None)
        if debt is not None and (left := debt.expires - _now()) > 0:
            with contextlib.suppress(TimeoutError, BadFrame):
                await self._hear(debt.question, left)
                self.frame_errors += 1
        until = self._quiet_since + max(self._wire.gap_s, self._pause_s, pause_s)
        # A loop counts its timers in whole milliseconds, and may wake a little early.
        while (wait_s := until - _now()) > 0:  # noqa: ASYNC110 - there is nothing to hear
            await asyncio.sleep(wait_s)
        if self._ear is None:
            raise ConnectionLost(f"{self.name}: {self._lost}", Quality.BAD_NO_COMMUNICATION)

    def _heard(self, data: bytes) -> None:
        waiting = self._waiting
        if waiting is None or waiting.done() or self._question is None:
            # Nobody waits: it comes late, and is worth nothing.
            self.frame_errors += 1
            return
        if self._sent:
            data = self._without_echo(data)
        self._buffer += data
        try:
            pdu = self._framing.take(self._buffer, self._question, self._number)
        except BadFrame as error:
            waiting.set_exception(error)
            return
        if pdu is not None:
            waiting.set_result(pdu)
        elif self._framing.damaged:
            asyncio.get_running_loop().call_later(_DAMAGED_S, self._despair, waiting)

    def _without_echo(self, data: bytes) -> bytes:
        """Take what was sent out of what came; something else is no echo, and the answer already."""
        sent = self._sent
        if data.startswith(sent):
            self._sent = b""
            return data[len(sent) :]
        if sent.startswith(data):
            self._sent = sent[len(data) :]
            return b""
        self._sent = b""
        return data

    def _limit(self, time_s: float) -> None:
        """Give the question under way so long, from now.

        One timer serves many questions: nearly all are answered, and to set and drop one for each costs more
        than to look now and then whether the present one has still time.
        """
        self._expires = _now() + time_s
        if self._watch is None or self._expires < self._looks:
            self._look_in(time_s)

    def _look_in(self, seconds: float) -> None:
        if self._watch is not None:
            self._watch.cancel()
        self._looks = _now() + seconds
        self._watch = asyncio.get_running_loop().call_later(seconds, self._look)

    def _look(self) -> None:
        self._watch = None
        if self._waiting is None or self._waiting.done():
            return
        left = self._expires - _now()
        if left > 0:
            self._look_in(left)
        else:
            self._waiting.set_exception(TimeoutError())

    def _despair(self, waiting: asyncio.Future[bytes]) -> None:
        if not waiting.done():
            damaged = "its answer is damaged (CRC or length)"
            waiting.set_exception(BadFrame(damaged, Quality.BAD_COMMUNICATION_ERROR))

    def _ended(self, ear: Ear, why: str) -> None:
        """Wake the question under way when the wire dies; silence would be waited for in vain."""
        if ear is not self._ear:
            return
        self._ear = None
        self._lost = why
        if self._waiting is not None and not self._waiting.done():
            self._waiting.set_exception(ConnectionLost(f"{self.name}: {why}", Quality.BAD_NO_COMMUNICATION))

    def _owe(self, question: Question, time_s: float) -> None:
        """Note that the answer of a question may still come, on a line where nothing would tell it."""
        if self._framing.numbered:
            return
        self._debts[question.unit] = _Debt(question, _now() + time_s)
        if isinstance(self._wire, TcpWire):
            self._hang_up()

    def _unanswered(self, question: Question, limits: Limits) -> DeviceTimeout | ConnectionLost:
        self._silent += 1
        self._silent_units.add(question.unit)
        if self._silent >= SILENT_REQUESTS and len(self._silent_units) >= self._units:
            return ConnectionLost(
                f"{self.name}: {self._silent} requests in a row without any answer", Quality.BAD_TIMEOUT
            )
        return DeviceTimeout(
            f"{self.name} unit {question.unit}: no answer within {limits.timeout_ms} ms", Quality.BAD_TIMEOUT
        )

    def _hang_up(self) -> None:
        """Close the connection so that the next question opens a new one."""
        if self._ear is not None:
            self._ear, self._lost = None, _OURS
            self._wire.close()


_OURS: Final = "closed by the gateway, to be opened again"


def line_of(settings: ModbusSettings, limits: list[Limits], units: int = 1) -> Line:
    """Return the line of some settings, closed. The longest pauses of its devices hold for all of them."""
    if settings.transport in SERIAL:
        wire: Wire = Rfc2217Wire(settings) if settings.at_server else SerialWire(settings)
    elif settings.transport == "dial-in":
        wire = DialInWire(settings)
    else:
        wire = network_wire(settings)
    settles = [settings.pause_after_connect_ms, *(each.pause_after_connect_ms for each in limits)]
    pauses = [settings.pause_between_requests_ms, *(each.pause_between_requests_ms for each in limits)]
    return Line(
        wire,
        pause_s=max(pauses) / 1000,
        settle_s=max(settles) / 1000,
        units=units,
        anew=settings.one_request_per_connection,
        echo=settings.echo,
    )
