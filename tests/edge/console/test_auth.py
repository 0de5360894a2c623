"""Passwords, sessions and the pause between guesses, on a clock that the test turns."""

from __future__ import annotations

import stat
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge.console.auth import IDLE_S, LIFE_S, Gatekeeper, Limiter, Sessions, TooSoon
from edge.console.password import Password, set_password
from edge.console.worker import Worker
from protocols.errors import Rejected
from tests.edge.console.page import CHEAP

PASSWORD = "a river in June"


class Hands:
    """A monotonic clock whose hands a test moves."""

    def __init__(self) -> None:
        self.now = 1_000.0

    def __call__(self) -> float:
        return self.now


def test_only_the_hash_is_kept_and_for_its_owner_only(tmp_path: Path) -> None:
    path = set_password(tmp_path / "state", PASSWORD)
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert stat.S_IMODE(path.parent.stat().st_mode) == 0o700
    assert PASSWORD not in path.read_text(encoding="ascii")
    password = Password(tmp_path / "state")
    assert password.matches(PASSWORD)
    assert not password.matches(PASSWORD + " ")
    assert not password.matches("")
    assert not password.matches("x" * 100_000)
    assert not password.matches("\ud800")


def test_the_same_password_twice_is_another_hash(tmp_path: Path) -> None:
    assert set_password(tmp_path, PASSWORD).read_bytes() != set_password(tmp_path, PASSWORD).read_bytes()


@pytest.mark.parametrize("weak", ["", "short", "x" * 257])
def test_a_weak_password_is_refused_and_the_old_one_stays(tmp_path: Path, weak: str) -> None:
    set_password(tmp_path, PASSWORD, CHEAP)
    with pytest.raises(Rejected, match="8 to 256"):
        set_password(tmp_path, weak)
    assert Password(tmp_path).matches(PASSWORD)


def test_a_damaged_file_says_how_to_repair_it(tmp_path: Path) -> None:
    (tmp_path / "page.json").write_text("{")
    with pytest.raises(Rejected, match="citynerve-edge page password"):
        _ = Password(tmp_path).stamp


def test_a_session_ends_when_idle_and_after_a_day_of_work(tmp_path: Path) -> None:
    set_password(tmp_path, PASSWORD, CHEAP)
    clock = Hands()
    sessions = Sessions(Password(tmp_path), clock)
    token = sessions.begin()
    assert sessions.holds(token)
    clock.now += IDLE_S - 1
    assert sessions.holds(token, seen=False)
    clock.now += 1
    assert not sessions.holds(token), "looking on does not keep it alive"
    busy = sessions.begin()
    until = clock.now + LIFE_S
    while clock.now < until - 600:
        clock.now += 600
        assert sessions.holds(busy)
    clock.now = until
    assert not sessions.holds(busy), "however busy, it ends"


def test_the_oldest_session_gives_way(tmp_path: Path) -> None:
    set_password(tmp_path, PASSWORD, CHEAP)
    sessions = Sessions(Password(tmp_path), Hands())
    tokens = [sessions.begin() for _ in range(40)]
    assert [sessions.holds(token) for token in tokens].count(True) == 32
    assert not sessions.holds(tokens[0])
    assert sessions.holds(tokens[-1])
    sessions.end(tokens[-1])
    assert not sessions.holds(tokens[-1])
    assert not sessions.holds("made up")


def test_removing_the_password_ends_every_session(tmp_path: Path) -> None:
    path = set_password(tmp_path, PASSWORD, CHEAP)
    sessions = Sessions(Password(tmp_path), Hands())
    token = sessions.begin()
    path.unlink()
    assert not sessions.holds(token)
    with pytest.raises(Rejected, match="no password is set"):
        sessions.begin()


@given(st.integers(1, 40))
def test_the_pause_grows_and_is_never_longer_than_five_minutes(failures: int) -> None:
    limiter, waits = Limiter(), []
    now = 0.0
    for _ in range(failures):
        limiter.failed("192.0.2.1", now)
        waits.append(limiter.wait_s("192.0.2.1", now))
        now += waits[-1]
    assert waits == sorted(waits)
    assert waits[-1] <= 300
    assert waits[:2] == [0, 0][: len(waits)]
    assert waits[2:4] == [2, 4][: max(len(waits) - 2, 0)]
    if failures >= 12:
        assert waits[-1] == 300
    assert limiter.wait_s("192.0.2.2", now) == 0, "another address is not punished"
    limiter.succeeded("192.0.2.1")
    assert limiter.wait_s("192.0.2.1", 0) == 0


def test_an_ipv6_neighbour_counts_as_the_same(tmp_path: Path) -> None:
    limiter = Limiter()
    for last in range(5):
        limiter.failed(f"2001:db8::{last}", 0.0)
    assert limiter.wait_s("2001:db8::ffff", 0.0) > 0
    assert limiter.wait_s("2001:db8:0:1::1", 0.0) == 0


async def test_guesses_side_by_side_count_before_they_are_judged(tmp_path: Path) -> None:
    set_password(tmp_path, PASSWORD)
    worker = Worker()
    keeper = Gatekeeper(tmp_path, worker, Hands())
    refused = 0
    for _ in range(3):
        with pytest.raises(Rejected, match="not the password"):
            await keeper.sign_in("wrong password", "192.0.2.1")
    for _ in range(5):
        with pytest.raises(TooSoon) as found:
            await keeper.sign_in(PASSWORD, "192.0.2.1")
        refused += found.value.wait_s > 0
    assert refused == 5
    token = await keeper.sign_in(PASSWORD, "192.0.2.9")
    assert keeper.sessions.holds(token)
    worker.close()
