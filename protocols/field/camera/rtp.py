r"""RTP packets (RFC 3550 section 5.1), and how many of them are lost.

V2 P X CC | M PT | sequence u16 | timestamp u32 | SSRC u32 | CC * u32 | extension | payload | padding
"""

from __future__ import annotations

from dataclasses import dataclass

from protocols.errors import BadFrame
from protocols.model.quality import Quality


@dataclass(frozen=True, slots=True)
class Packet:
    """One packet. timestamp: ticks of the video's own rate, mod 2**32; marker: last of its picture."""

    payload_type: int
    marker: bool
    sequence: int
    timestamp: int
    ssrc: int
    payload: bytes


def read_packet(data: bytes) -> Packet:
    """Return the packet in these bytes. Raises BadFrame."""
    if len(data) < 12 or data[0] >> 6 != 2:
        raise _broken(data)
    start = 12 + 4 * (data[0] & 0x0F)
    end = len(data)
    if data[0] & 0x10:
        if start + 4 > end:
            raise _broken(data)
        start += 4 + 4 * int.from_bytes(data[start + 2 : start + 4], "big")
    if data[0] & 0x20:
        end -= data[-1] or end
    if start > end:
        raise _broken(data)
    return Packet(
        data[1] & 0x7F,
        bool(data[1] & 0x80),
        int.from_bytes(data[2:4], "big"),
        int.from_bytes(data[4:8], "big"),
        int.from_bytes(data[8:12], "big"),
        data[start:end],
    )


def _broken(data: bytes) -> BadFrame:
    return BadFrame(f"{len(data)} bytes that are no RTP packet", Quality.BAD_DECODING_ERROR)


class Loss:
    """Counts packets against their sequence numbers (RFC 3550 appendix A.3)."""

    def __init__(self) -> None:
        self.received = 0
        self._first = 0
        self._highest = 0

    def add(self, sequence: int) -> bool:
        """Count a packet; return whether it is the one after the last."""
        self.received += 1
        if self.received == 1:
            self._first = self._highest = sequence
            return True
        step = (sequence - self._highest) & 0xFFFF
        if step < 0x8000:
            self._highest += step
        return step == 1

    @property
    def percent(self) -> float:
        """Packets that never came, in per cent of those expected; 0 before the first."""
        expected = self._highest - self._first + 1
        return 100.0 * max(0, expected - self.received) / expected if self.received else 0.0
