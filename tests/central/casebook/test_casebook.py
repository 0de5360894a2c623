"""Events and cases on a real PostgreSQL: opened, joined, worked on, closed; and nothing forgotten."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError

from central.casebook import queries, schemas, service
from central.casebook.demo import DEMO_UNITS, ensure_demo_units
from central.casebook.due import Limits
from central.casebook.journal import broken_step
from central.casebook.lifecycle import Action, CaseState, EventState, TaskState
from central.casebook.models import Case, RaisedAlarm
from central.kernel.problem import Problem
from central.kernel.shapes import Name
from central.store.base import Database
from protocols.errors import Rejected
from protocols.model.alarm import Priority
from protocols.model.clock import from_datetime

NOW = datetime(2026, 11, 22, 6, 0, 0, 123456, tzinfo=UTC)


def alarm(
    key: str, *, priority: Priority = "P1", site: str = "ps", category: str = "flooding"
) -> RaisedAlarm:
    return RaisedAlarm(
        id=key,
        rule="well.level-high",
        name_zh="水位高",
        name_en="Level high",
        point="gw.well.level",
        device="gw.well",
        site=site,
        priority=priority,
        category=category,
        raised_us=from_datetime(NOW) - 2_000_000,
    )


async def raised(database: Database, *alarms: RaisedAlarm, now: datetime = NOW) -> list[schemas.Event]:
    async with database.session() as session:
        return await service.alarms_raised(session, alarms, now=now)


async def opened_case(database: Database, event_id: str | None = None) -> schemas.Case:
    async with database.session() as session:
        await ensure_demo_units(session)
        new = service.NewCase(description="请处置", event_id=event_id, title_zh="积水", title_en="Water")
        return await service.open_case(session, new, actor="wang", now=NOW, limits=Limits())


async def assigned(database: Database, case_id: str, unit: str) -> schemas.Case:
    async with database.session() as session:
        return await service.assign(session, case_id, unit=unit, actor="wang", now=NOW)


async def do(database: Database, task: str, action: Action, minute: int, comment: str = "") -> schemas.Case:
    async with database.session() as session:
        return await service.act(
            session, task, action, actor="crew", now=NOW + timedelta(minutes=minute), comment=comment
        )


async def test_only_urgent_alarms_open_an_event(database: Database) -> None:
    assert await raised(database, alarm("a3", priority="P3"), alarm("a4", priority="P4")) == []
    (event,) = await raised(database, alarm("a2", priority="P2"))
    assert (event.number, event.state, event.level) == ("E20261122-0001", EventState.REPORTED, "P2")
    assert event.title == Name(zh="水位高", en="Level high")
    assert event.alarms[0].raised_at == NOW - timedelta(seconds=2)


async def test_alarms_of_a_site_and_category_join_one_event_and_raise_its_level(database: Database) -> None:
    (first,) = await raised(database, alarm("a1", priority="P2"))
    changed = await raised(
        database,
        alarm("a2", priority="P1"),
        alarm("a3", site="other"),
        alarm("a4", category="equipment"),
        now=NOW + timedelta(hours=23),
    )
    joined = next(event for event in changed if event.id == first.id)
    assert len(changed) == 3
    assert joined.level == "P1"
    assert [item.id for item in joined.alarms] == ["a1", "a2"]


async def test_telling_an_alarm_twice_changes_nothing(database: Database) -> None:
    await raised(database, alarm("a1"), alarm("a1"))
    assert await raised(database, alarm("a1"), now=NOW + timedelta(days=3)) == []
    async with database.session() as session:
        page = await queries.events(session)
    assert [len(event.alarms) for event in page.items] == [1]


async def test_after_a_day_or_a_closing_there_is_a_new_event(database: Database) -> None:
    (first,) = await raised(database, alarm("a1"))
    (second,) = await raised(database, alarm("a2"), now=NOW + timedelta(hours=24))
    assert second.id != first.id
    async with database.session() as session:
        closed = await service.close_event(session, second.id, actor="wang", reason="误报", now=NOW)
    assert (closed.state, closed.closed_by, closed.closing_note) == (EventState.CLOSED, "wang", "误报")
    (third,) = await raised(database, alarm("a3"), now=NOW + timedelta(hours=25))
    assert third.id not in {first.id, second.id}
    assert third.number == "E20261123-0002"


async def test_batches_at_the_same_time_open_one_event_and_numbers_without_gaps(database: Database) -> None:
    batches = [raised(database, alarm(f"same-{n}"), alarm(f"own-{n}", site=f"site-{n}")) for n in range(8)]
    await asyncio.gather(*batches)
    async with database.session() as session:
        events = (await queries.events(session)).items
    assert sorted(len(event.alarms) for event in events) == [1] * 8 + [8]
    assert sorted(event.number for event in events) == [f"E20261122-{n:04d}" for n in range(1, 10)]


async def test_a_number_that_was_rolled_back_is_given_again(database: Database) -> None:
    async with database.sessions() as session:
        (lost,) = await service.alarms_raised(session, [alarm("a1")], now=NOW)
        assert lost.number == "E20261122-0001"
        await session.rollback()
    (event,) = await raised(database, alarm("a2"))
    assert event.number == "E20261122-0001"


async def test_the_whole_story_with_time_and_person_of_each_step(database: Database) -> None:
    (event,) = await raised(database, alarm("a1"))
    case = await opened_case(database, event.id)
    assert (case.number, case.priority, case.site) == ("20261122-0001", "P1", "ps")
    assert case.due_at == NOW + timedelta(minutes=30)
    async with database.session() as session:
        case = await service.assign(
            session, case.id, unit="drainage-north", actor="wang", now=NOW, comment="速去", due_in_minutes=45
        )
    assert (case.state, case.unit, case.due_at) == (
        CaseState.HANDLING,
        "drainage-north",
        NOW + timedelta(minutes=45),
    )
    task = case.tasks[0]
    assert task.actions == [Action.ACCEPT, Action.REFUSE]
    await do(database, task.id, Action.ACCEPT, 1)
    await do(database, task.id, Action.ON_SITE, 10)
    case = await do(database, task.id, Action.DONE, 30, "已抽排")
    assert case.tasks[0].actions == [Action.VERIFY, Action.REWORK]
    case = await do(database, task.id, Action.REWORK, 35, "仍有积水")
    assert (case.reworks, case.tasks[0].round, case.tasks[0].done_at) == (1, 2, None)
    for minute, action in enumerate((Action.ACCEPT, Action.ON_SITE, Action.DONE, Action.VERIFY), 36):
        case = await do(database, task.id, action, minute)
    assert (case.state, case.actions) == (CaseState.PENDING_CLOSE, [Action.CLOSE])
    async with database.session() as session:
        case = await service.decide(
            session, case.id, Action.CLOSE, actor="chief", now=NOW + timedelta(minutes=44), comment="结案"
        )
    assert [(step.action, step.actor) for step in case.steps] == [
        ("open", "wang"),
        ("assign", "wang"),
        ("accept", "crew"),
        ("on_site", "crew"),
        ("done", "crew"),
        ("rework", "crew"),
        ("accept", "crew"),
        ("on_site", "crew"),
        ("done", "crew"),
        ("verify", "crew"),
        ("close", "chief"),
    ]
    assert [step.at for step in case.steps[2:6]] == [NOW + timedelta(minutes=m) for m in (1, 10, 30, 35)]
    assert case.steps[5].comment == "仍有积水"
    assert case.tasks[0].verified_at == NOW + timedelta(minutes=39)
    assert not case.overdue
    async with database.session() as session:
        closed = await queries.event(session, event.id)
        stored = await session.get_one(Case, case.id)
        assert broken_step(stored) is None
    assert (closed.state, closed.case_id, closed.closed_by) == (EventState.CLOSED, case.id, "chief")


async def test_a_wrong_step_is_refused_and_leaves_no_trace(database: Database) -> None:
    case = await opened_case(database)
    case = await assigned(database, case.id, "lighting")
    with pytest.raises(Rejected, match="accept") as refusal:
        await do(database, case.tasks[0].id, Action.DONE, 1)
    assert refusal.value.reason == "not-allowed"
    with pytest.raises(Rejected):
        async with database.session() as session:
            await service.decide(session, case.id, Action.VOID, actor="wang", now=NOW, comment="x")
    async with database.session() as session:
        same = await queries.case(session, case.id, NOW)
    assert (same.state, len(same.steps)) == (CaseState.HANDLING, 2)


async def test_a_refused_task_goes_to_another_unit(database: Database) -> None:
    case = await opened_case(database)
    for unit in ("lighting", "drainage-south"):
        case = await assigned(database, case.id, unit)
        if unit == "lighting":
            case = await do(database, case.tasks[0].id, Action.REFUSE, 1, "非本单位职责")
            assert (case.state, case.actions) == (CaseState.PENDING_DISPATCH, [Action.ASSIGN, Action.VOID])
    assert [(task.unit, task.state) for task in case.tasks] == [
        ("lighting", TaskState.REFUSED),
        ("drainage-south", TaskState.ASSIGNED),
    ]
    with pytest.raises(Rejected):
        await do(database, case.tasks[0].id, Action.ACCEPT, 2)
    case = await opened_case(database)
    with pytest.raises(Problem, match="unit"):
        await assigned(database, case.id, "nobody")


async def test_an_event_has_one_case_and_is_closed_by_it(database: Database) -> None:
    (event,) = await raised(database, alarm("a1"))
    case = await opened_case(database, event.id)
    with pytest.raises(Rejected) as second:
        await opened_case(database, event.id)
    assert second.value.reason == "has-case"
    with pytest.raises(Rejected) as early:
        async with database.session() as session:
            await service.close_event(session, event.id, actor="wang", reason="x", now=NOW)
    assert early.value.reason == "has-case"
    async with database.session() as session:
        voided = await service.decide(session, case.id, Action.VOID, actor="wang", now=NOW, comment="误报")
        assert (await queries.event(session, event.id)).state is EventState.CLOSED
        found = await queries.links(session, ["a1", "unknown"])
    assert voided.state is CaseState.VOIDED
    assert found == {"a1": queries.Link(event.id, case.id)}


async def test_two_people_at_once_make_one_step(database: Database) -> None:
    case = await opened_case(database)
    case = await assigned(database, case.id, "lighting")
    task = case.tasks[0].id
    results = await asyncio.gather(
        *(do(database, task, Action.ACCEPT, minute) for minute in range(5)), return_exceptions=True
    )
    assert sum(isinstance(result, schemas.Case) for result in results) == 1
    assert sum(isinstance(result, Rejected) for result in results) == 4


async def test_steps_cannot_be_changed_and_forged_ones_show(database: Database) -> None:
    case = await opened_case(database)
    for statement in (
        "UPDATE case_steps SET actor = 'nobody'",
        "DELETE FROM case_steps",
        "TRUNCATE case_steps",
    ):
        with pytest.raises(DBAPIError, match="append-only"):
            async with database.session() as session:
                await session.execute(text(statement))
    async with database.session() as session:
        await session.execute(text("ALTER TABLE case_steps DISABLE TRIGGER append_only"))
        await session.execute(text("UPDATE case_steps SET actor = 'nobody'"))
    async with database.session() as session:
        assert broken_step(await session.get_one(Case, case.id)) == 1


async def test_lists_come_in_pages_newest_first(database: Database) -> None:
    for minute in range(5):
        await raised(database, alarm(f"a{minute}", site=f"s{minute}"), now=NOW + timedelta(minutes=minute))
    numbers: list[str] = []
    cursor: str | None = None
    async with database.session() as session:
        while True:
            page = await queries.events(session, state="open", limit=2, cursor=cursor)
            numbers += [event.number for event in page.items]
            cursor = page.next_cursor
            if cursor is None:
                break
    assert numbers == [f"E20261122-{n:04d}" for n in (5, 4, 3, 2, 1)]


async def test_counts_and_units(database: Database) -> None:
    await opened_case(database)
    await opened_case(database)
    async with database.session() as session:
        assert await queries.counts(session, NOW) == queries.Counts(2, 0)
        assert await queries.counts(session, NOW + timedelta(days=1)) == queries.Counts(2, 2)
        assert (await queries.units(session)).items == sorted(DEMO_UNITS, key=lambda unit: unit.id)
