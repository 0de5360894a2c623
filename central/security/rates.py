"""How often somebody may ask the API: a bucket that fills steadily, for each account and each address.

An account has one bucket for all of its sessions and tokens; an address only spends what it asks without
proving who it is, so that a control room behind one address is not slowed by one stranger in it. In memory:
every replica of the centre counts for itself.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from central.kernel.problem import Problem
from protocols.model.clock import SECOND_US, Clock, now_us

BURST_S: Final = 10
"""A bucket holds what fills it in so many seconds: a page opens with a dozen requests at once."""
_MAX_KEYS: Final = 10_000


@dataclass(slots=True)
class _Bucket:
    left: float
    at_us: int


class Rates:
    """Counts requests. per_account and per_address are requests a second in the long run; 0: not limited."""

    def __init__(self, per_account: int, per_address: int, clock: Clock = now_us) -> None:
        self._per_account = per_account
        self._per_address = per_address
        self._clock = clock
        self._buckets: dict[tuple[str, str], _Bucket] = {}

    @property
    def known(self) -> int:
        """How many accounts and addresses are remembered now."""
        return len(self._buckets)

    def account(self, username: str) -> None:
        """Count a request of an account. Problem 429 `too-many-requests` with `Retry-After`."""
        self._spend(("account", username), self._per_account)

    def address(self, address: str) -> None:
        """Count a request of nobody known. Problem as above."""
        self._spend(("address", address), self._per_address)

    def may_note(self, address: str) -> bool:
        """Say whether what nobody known asked from an address is written down: as often as it may ask."""
        try:
            self._spend(("note", address), self._per_address)
        except Problem:
            return False
        return True

    def _spend(self, key: tuple[str, str], rate: int) -> None:
        if not rate:
            return
        now, most = self._clock(), float(rate * BURST_S)
        # Put back at the end, so that the first is the one used longest ago: forgetting it costs nothing.
        bucket = self._buckets.pop(key, None) or _Bucket(most, now)
        self._buckets[key] = bucket
        if len(self._buckets) > _MAX_KEYS:
            del self._buckets[next(iter(self._buckets))]
        passed_s = max(0, now - bucket.at_us) / SECOND_US
        bucket.left, bucket.at_us = min(most, bucket.left + passed_s * rate), now
        if bucket.left < 1:
            wait_s = max(1, round((1 - bucket.left) / rate))
            raise Problem(
                429, "too-many-requests", "Too many requests",
                f"More than {rate} a second in the long run. Try again in {wait_s} s, and ask less often.",
                headers={"Retry-After": str(wait_s)},
            )  # fmt: skip
        bucket.left -= 1
