"""Sign-in attempts are counted by an injected clock."""

from __future__ import annotations

from central.security.limiter import FAILURES_PER_ACCOUNT, FAILURES_PER_ADDRESS, WINDOW_US, SignInLimiter


class Hand:
    """A clock that is moved by hand."""

    def __init__(self) -> None:
        self.now = 1_700_000_000_000_000

    def __call__(self) -> int:
        return self.now


def test_five_failures_close_the_door_for_five_minutes_from_the_first() -> None:
    clock = Hand()
    limiter = SignInLimiter(clock)
    for _ in range(FAILURES_PER_ACCOUNT):
        assert limiter.wait_s("wang", "10.0.0.1") == 0
        limiter.failed("wang", "10.0.0.1")
        clock.now += 1_000_000
    assert limiter.wait_s("wang", "10.0.0.1") == 295
    assert limiter.wait_s("wang", "10.0.0.2") == 0
    assert limiter.wait_s("li", "10.0.0.1") == 0
    clock.now += 295_000_000
    assert limiter.wait_s("wang", "10.0.0.1") == 0


def test_success_forgets_the_failures() -> None:
    limiter = SignInLimiter(Hand())
    for _ in range(FAILURES_PER_ACCOUNT):
        limiter.failed("wang", "a")
    limiter.succeeded("wang", "a")
    assert limiter.wait_s("wang", "a") == 0


def test_one_address_guessing_many_names_is_stopped_as_well() -> None:
    clock = Hand()
    limiter = SignInLimiter(clock)
    for number in range(FAILURES_PER_ADDRESS):
        limiter.failed(f"user{number}", "a")
    assert limiter.wait_s("somebody-else", "a") == 300
    clock.now += WINDOW_US
    assert limiter.wait_s("somebody-else", "a") == 0
