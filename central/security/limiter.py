"""Sign-in attempts, counted: too many failures and the door stays shut for a while."""

from __future__ import annotations

from collections import deque
from typing import Final

from protocols.model.clock import SECOND_US, Clock, now_us

FAILURES_PER_ACCOUNT: Final = 5
"""For one user name from one address."""
FAILURES_PER_ADDRESS: Final = 50
"""For one address over all names; a control room may share one."""
WINDOW_US: Final = 300 * SECOND_US
_MAX_KEYS: Final = 10_000


class SignInLimiter:
    """Counts failures in a sliding window, in memory: every replica of the centre counts for itself."""

    def __init__(self, clock: Clock = now_us) -> None:
        self._clock = clock
        self._failures: dict[tuple[str, str], deque[int]] = {}

    def wait_s(self, username: str, address: str) -> int:
        """Return the seconds until another attempt is allowed; 0 when it is allowed now."""
        return max(
            self._wait_s((username, address), FAILURES_PER_ACCOUNT),
            self._wait_s(("", address), FAILURES_PER_ADDRESS),
        )

    def failed(self, username: str, address: str) -> None:
        """Count a failure: before the password is judged, so that attempts side by side count as well."""
        now = self._clock()
        if len(self._failures) >= _MAX_KEYS:
            self._failures = {
                key: times for key, times in self._failures.items() if times[-1] > now - WINDOW_US
            }
        for key in ((username, address), ("", address)):
            self._failures.setdefault(key, deque(maxlen=FAILURES_PER_ADDRESS)).append(now)

    def succeeded(self, username: str, address: str) -> None:
        """Forget the failures of this account from this address, and that this attempt counted as one."""
        self._failures.pop((username, address), None)
        of_address = self._failures.get(("", address))
        if of_address:
            of_address.pop()
            if not of_address:
                del self._failures["", address]

    def _wait_s(self, key: tuple[str, str], allowed: int) -> int:
        times = self._failures.get(key)
        if times is None:
            return 0
        now = self._clock()
        while times and times[0] <= now - WINDOW_US:
            times.popleft()
        if not times:
            del self._failures[key]
            return 0
        if len(times) < allowed:
            return 0
        return max(1, -(-(times[-allowed] + WINDOW_US - now) // SECOND_US))
