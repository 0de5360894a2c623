"""The gateway's time against every way in which a clock goes wrong; no test sleeps."""

from __future__ import annotations

from pathlib import Path

from hypothesis import given, settings
from hypothesis import strategies as st

from edge.timekeeping import ALONE_US, FILE_NAME, PERSIST_US, SLEW_US, Timekeeper
from protocols.model.clock import SECOND_US

TRUE = 1_790_000_000 * SECOND_US
DAY = 86_400 * SECOND_US


class World:
    """True time, a system clock that is wrong by `error_us`, and the kernel's uptime."""

    def __init__(self, folder: Path | None = None) -> None:
        self.folder = folder
        self.up_us = 100 * SECOND_US
        self.booted_us = TRUE - self.up_us
        self.error_us = 0
        self.ntp = False
        self.kernel = "run-1"

    @property
    def true_us(self) -> int:
        return self.booted_us + self.up_us

    def start(self) -> Timekeeper:
        return Timekeeper(
            self.folder,
            wall=lambda: self.true_us + self.error_us,
            uptime=lambda: self.up_us,
            kernel=self.kernel,
            disciplined=lambda: self.ntp,
            installed_us=TRUE - 30 * DAY,
        )

    def run(self, keeper: Timekeeper, seconds: float) -> int:
        """Let time pass, looking at the clock every second; return the last look."""
        now = keeper.now_us()
        for _ in range(round(seconds)):
            self.up_us += SECOND_US
            now = keeper.now_us()
        return now

    def hear(self, keeper: Timekeeper, *, wrong_us: int = 0, rtt_us: int = 2_000) -> None:
        """Let the centre answer; its clock is wrong by `wrong_us`."""
        keeper.note_centre(self.true_us + wrong_us - keeper.now_us(), rtt_us)

    def reboot(self) -> None:
        self.kernel += "+"
        self.booted_us, self.up_us = self.true_us + 30 * SECOND_US, 10 * SECOND_US


def test_a_day_either_way_changes_nothing_once_the_time_is_confirmed() -> None:
    for day in (DAY, -DAY):
        world = World()
        keeper = world.start()
        world.hear(keeper)
        assert keeper.synced
        world.error_us = day
        for _ in range(20):
            world.run(keeper, 60)
            world.hear(keeper)
        assert keeper.now_us() == world.true_us
        assert keeper.steps == 0


def test_without_anybody_else_a_clock_that_was_set_is_followed_in_one_step() -> None:
    world = World()
    keeper = world.start()
    world.error_us = DAY
    assert world.run(keeper, ALONE_US // SECOND_US - 2) == world.true_us
    assert world.run(keeper, 5) == world.true_us + DAY
    assert (keeper.steps, keeper.synced) == (1, False)


def test_a_small_error_is_slewed_and_time_never_runs_backwards() -> None:
    world = World()
    world.error_us = SLEW_US
    keeper = world.start()
    world.hear(keeper)
    before = keeper.now_us()
    for _ in range(400):
        now = world.run(keeper, 1)
        assert before < now < before + 1.02 * SECOND_US
        before = now
    assert abs(before - world.true_us) < SECOND_US // 10
    assert keeper.steps == 0


def test_of_several_answers_the_one_with_the_shortest_way_counts() -> None:
    world = World()
    keeper = world.start()
    world.hear(keeper, rtt_us=2_000)
    world.hear(keeper, wrong_us=-900_000, rtt_us=1_800_000)
    assert keeper.offset_us == 0


def test_a_centre_that_jumps_is_followed_only_after_it_persisted() -> None:
    world = World()
    keeper = world.start()
    world.hear(keeper)
    world.run(keeper, 3700)
    world.hear(keeper, wrong_us=DAY)
    world.run(keeper, PERSIST_US // SECOND_US - 10)
    assert keeper.now_us() == world.true_us
    world.hear(keeper, wrong_us=DAY)
    world.run(keeper, 20)
    assert keeper.now_us() == world.true_us + DAY
    assert keeper.steps == 1


def test_a_clock_before_the_last_known_time_starts_there_and_is_corrected(tmp_path: Path) -> None:
    world = World(tmp_path)
    keeper = world.start()
    world.hear(keeper)
    assert (tmp_path / FILE_NAME).stat().st_mode & 0o777 == 0o600
    world.reboot()
    world.error_us = 1_000_000_000 * SECOND_US - world.true_us
    again = world.start()
    assert (again.synced, again.plausible) == (False, False)
    assert TRUE <= again.now_us() < world.true_us
    stamp = again.stamp()
    assert stamp is not None
    recorded_us, true_us = again.now_us(), world.true_us
    world.run(again, 5)
    world.hear(again)
    assert again.stamp() is None
    lacks = again.correction(stamp)
    assert lacks is not None
    assert recorded_us + lacks == true_us


def test_a_restart_of_the_process_keeps_a_confirmed_time(tmp_path: Path) -> None:
    world = World(tmp_path)
    keeper = world.start()
    world.hear(keeper)
    world.error_us = -DAY
    world.run(keeper, 30)
    keeper.save()
    again = world.start()
    assert again.synced
    assert again.now_us() == world.true_us


def test_what_another_run_of_the_kernel_recorded_cannot_be_corrected(tmp_path: Path) -> None:
    world = World(tmp_path)
    stamp = world.start().stamp()
    assert stamp is not None
    world.reboot()
    again = world.start()
    world.hear(again)
    assert again.correction(stamp) is None


def test_ntp_goes_before_the_centre() -> None:
    world = World()
    world.ntp = True
    keeper = world.start()
    assert keeper.synced
    world.hear(keeper, wrong_us=DAY)
    world.run(keeper, 3000)
    assert keeper.now_us() == world.true_us
    assert keeper.offset_us == DAY


def test_a_damaged_file_is_as_good_as_none(tmp_path: Path) -> None:
    (tmp_path / FILE_NAME).write_bytes(b'{"time_us": 99999999999999999999')
    world = World(tmp_path)
    assert world.start().now_us() == world.true_us


@settings(max_examples=200, deadline=None)
@given(
    st.lists(
        st.tuples(
            st.sampled_from(["run", "hear", "set", "ntp"]),
            st.integers(-2 * DAY, 2 * DAY),
            st.integers(1, 900),
        ),
        max_size=30,
    )
)
def test_time_only_steps_where_it_says_so(acts: list[tuple[str, int, int]]) -> None:
    world = World()
    keeper = world.start()
    told: list[int] = []
    keeper.on_step = told.append
    before_us, before_up = keeper.now_us(), world.up_us
    for act, amount, seconds in acts:
        if act == "set":
            world.error_us = amount
            world.ntp = False
        elif act == "ntp":
            world.error_us, world.ntp = 0, True
        elif act == "hear":
            world.hear(keeper)
        world.up_us += seconds * SECOND_US
        stepped = len(told)
        now = keeper.now_us()
        passed = world.up_us - before_up
        if len(told) == stepped and act != "hear":
            assert abs(now - before_us - passed) <= passed * 0.011 + 1
        before_us, before_up = now, world.up_us
        told.clear()
    assert keeper.steps <= len(acts)
