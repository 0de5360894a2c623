"""A user of one area cannot read, list or infer another's, nor change it: proved on every operation there is.

The user may do everything that can be done in a part of the city, in area A, so the walk reaches the
deepest code; whoever may less is refused earlier.
"""

from __future__ import annotations

import base64
import json
from typing import Any

import httpx2
import psycopg
import pytest

from central.security.roles import Role
from tests.central.scope.areas import NOWHERE, SHARED, TwoAreas, stir
from tests.central.scope.calls import OWN, STREAMS, Call, Operation, operations
from tests.central.systems.running import API

pytestmark = pytest.mark.asyncio(loop_scope="module")

NEVER_SENT = {"getNotice", "getWebhookDelivery"}
"""Operations on messages: neither area has sent one."""
WHOLE_CITY = {
    "listNoticeChannels", "makeNoticeChannel", "changeNoticeChannel", "deleteNoticeChannel",
    "testNoticeChannel", "listSubscriptions", "makeSubscription", "changeSubscription", "deleteSubscription",
    "listEscalations", "makeEscalation", "changeEscalation", "deleteEscalation", "listTemplates",
    "putTemplate", "resetTemplate", "previewTemplate", "listNotices", "getNotice", "replayNotice",
    "listWebhooks", "makeWebhook", "changeWebhook", "deleteWebhook", "renewWebhookSecret", "pingWebhook",
    "listWebhookDeliveries", "getWebhookDelivery", "replayWebhookDelivery",
    "listUsers", "createUser", "changeUser", "deleteUser", "putRole", "deleteRole", "listAllTokens",
    "revokeToken", "createServiceToken", "listAllSessions", "endSession", "resetTotp", "proveAudit",
    "getPolicy", "putPolicy", "getRetention", "getRetentionState", "setKindRetention", "listAudit",
    "listPackages",
    "createGateway", "saveWallLayout", "removeWallLayout", "listWallLayoutVersions", "listWallScreens",
    "makeWallScreen", "renewWallLink", "revokeWallScreen",
}  # fmt: skip
"""What belongs to no site: refused with 403, whatever is asked, to who sees a part of the city."""
PASSING = {"x-request-id", "date"}
CHURNING = {"alarm_tells", "audit", "audit_head", "api_tokens", "sessions", "sign_in_failures"}
"""Tables that tell of every request, not of what it changed, or that a timer empties meanwhile."""


@pytest.fixture(scope="module")
def walked(both: TwoAreas) -> list[Operation]:
    return [
        operation for operation in operations(both.city.app.openapi()) if operation.id not in STREAMS | OWN
    ]


async def answer(client: httpx2.AsyncClient, call: Call) -> httpx2.Response:
    """Send a call; an operation with a body that is left out gets none."""
    content = None if call.file is None else call.file.encode()
    return await client.request(
        call.method, call.path, params=dict(call.query), json=call.body, content=content
    )


def told(found: httpx2.Response) -> str:
    """Return everything that an answer tells: status, headers, body, and what its cursor hides."""
    headers = {name: value for name, value in found.headers.items() if name not in PASSING}
    return f"{found.status_code} {sorted(headers.items())} {found.text} {hidden(found)}"


def hidden(found: httpx2.Response) -> str:
    """Return what the cursor of a page holds."""
    page = found.json() if found.headers.get("content-type") == "application/json" else None
    cursor = page.get("next_cursor") if isinstance(page, dict) else None
    return "" if not cursor else base64.urlsafe_b64decode(cursor + "=" * (-len(cursor) % 4)).decode()


async def test_no_answer_holds_what_is_only_the_other_areas(both: TwoAreas, walked: list[Operation]) -> None:
    leaks = []
    async with both.city.client(both.keeper) as client:
        for operation in walked:
            if not operation.reads:
                continue
            for ids in (both.a, both.b):
                for call in operation.calls(ids):
                    found = await answer(client, call)
                    assert found.status_code < 500, (str(call), found.text)
                    text = told(found)
                    for used in call.used:
                        text = text.replace(used, "")
                    leaks += [(str(call), leak) for leak in both.leaks(text)]
    assert leaks == []


async def test_what_is_in_reach_is_answered_and_the_rest_is_there_for_who_sees_all(
    both: TwoAreas, walked: list[Operation]
) -> None:
    """The walk would prove nothing if A's own things, or B's for an administrator, were not found either."""
    refused, missing, seen = set(), [], ""
    async with both.city.client(both.keeper) as keeper, both.city.client(Role.ADMIN) as admin:
        for operation in walked:
            if not operation.reads:
                continue
            own = await answer(keeper, next(operation.calls(both.a)))
            if own.status_code == 403:
                refused.add(operation.id)
            elif own.status_code != 200:
                missing.append((operation.id, own.status_code, own.text))
            for call in operation.calls(both.b):
                found = await answer(admin, call)
                if found.status_code != 200 and operation.id not in NEVER_SENT:
                    missing.append((str(call), found.status_code, found.text))
                seen += told(found)
    assert missing == []
    assert refused == WHOLE_CITY & {operation.id for operation in walked if operation.reads}
    assert sorted(secret for secret in both.secrets if secret not in seen) == []


async def test_what_is_out_of_reach_is_as_what_does_not_exist(
    both: TwoAreas, walked: list[Operation]
) -> None:
    """Acts too; and after all of them nothing has changed in the database."""
    before, differing = stored(both), []
    async with both.city.client(both.keeper) as client:
        for operation in walked:
            if not operation.named and not operation.asked_by:
                continue
            pairs = list(zip(operation.calls(both.b), operation.calls(NOWHERE), strict=True))
            if operation.nested:
                pairs.append((operation.call(both.a, both.b), operation.call(both.a, NOWHERE)))
            for theirs, nobodys in pairs:
                if theirs.path == nobodys.path and theirs.query == nobodys.query and not operation.takes_body:
                    continue
                there, nowhere = await answer(client, theirs), await answer(client, nobodys)
                if plain(there, theirs) != plain(nowhere, nobodys):
                    differing.append((str(theirs), there.text, nowhere.text))
                if operation.id in WHOLE_CITY and there.status_code != 403:
                    differing.append((str(theirs), "is for who sees the whole city", there.text))
    assert differing == []
    assert changes(before, stored(both)) == []


async def test_a_gateway_of_both_areas_is_seen_but_is_nobodys_as_a_whole(both: TwoAreas) -> None:
    city = both.city
    async with city.client(both.keeper) as client:
        shown = (await client.get(f"{API}/gateways/{SHARED}")).json()
        assert (shown["gateway"]["points"], shown["gateway"]["devices"]) == (3, 2)
        assert shown["gateway"]["local_manual"] == ["a-pump"]
        assert shown["status"] is None
        own = (await client.get(f"{API}/gateways/gw-alpha")).json()
        assert own["status"]["software"] == "citynerve 0.1.0"
        assert (await client.get(f"{API}/gateways/{SHARED}/orders")).status_code == 404
        assert (await client.post(f"{API}/gateways/{SHARED}/rotate")).status_code == 404
        assert (await client.post(f"{API}/gateways/{SHARED}/revoke")).status_code == 404
    whole = await city.get(f"/gateways/{SHARED}")
    assert (whole["gateway"]["points"], whole["gateway"]["devices"]) == (6, 4)
    assert whole["gateway"]["local_manual"] == ["a-pump", "zb-pump"]


async def test_pages_of_one_are_all_there_is_and_hide_nothing_between_them(
    both: TwoAreas, walked: list[Operation]
) -> None:
    """Page by page: no empty page in between, no count beyond what is shown, no cursor with another's id."""
    paged = 0
    async with both.city.client(both.keeper) as client:
        for operation in walked:
            if not operation.reads or "cursor" not in operation.queries or operation.id in WHOLE_CITY:
                continue
            for kind in operation.kinds:
                call = operation.call(both.a, both.a, kind=kind)
                whole = (await answer(client, call)).json()
                shown: list[Any] = []
                query = {**call.query, "limit": "1"}
                for _ in range(len(whole["items"]) + 1):
                    found = await client.get(call.path, params=query)
                    assert both.leaks(hidden(found)) == [], str(call)
                    page = found.json()
                    assert page.get("total") in {None, len(whole["items"])}, str(call)
                    shown += page["items"]
                    if page["next_cursor"] is None:
                        break
                    assert len(page["items"]) == 1, str(call)
                    query["cursor"] = page["next_cursor"]
                assert shown == whole["items"], str(call)
                paged += 1
    assert paged >= 8


async def test_nothing_that_happens_in_the_other_area_changes_any_answer(
    both: TwoAreas, walked: list[Operation]
) -> None:
    """Counts, orders, totals, headers: every answer is the same, to the letter, before and after."""

    async def everything() -> dict[str, str]:
        async with both.city.client(both.keeper) as client:
            return {
                str(call): told(await answer(client, call))
                for operation in walked
                if operation.reads
                for call in operation.calls(both.a)
            }

    before = await everything()
    overview = await both.city.get("/overview", Role.ADMIN)
    await stir(both)
    after = await everything()
    assert [(was, now) for was, now in zip(before.values(), after.values(), strict=True) if was != now] == []
    assert await both.city.get("/overview", Role.ADMIN) != overview


def plain(found: httpx2.Response, call: Call) -> str:
    """Return what an answer tells, with the ids that were asked for cut out; short ones are quoted."""
    text = told(found).replace(f"('content-length', '{len(found.content)}')", "")
    for used in call.used:
        text = text.replace(used, "'…'" if used.startswith("'") else "…")
    return text


def stored(both: TwoAreas) -> dict[str, set[str]]:
    """Return every row of the database, by table, but for what the keeper himself may keep under his name."""
    with psycopg.connect(both.city.centre.config.database_url or "") as connection:
        names = [
            str(name)
            for (name,) in connection.execute(
                "SELECT table_name FROM information_schema.tables"
                " WHERE table_schema = 'public' AND table_type = 'BASE TABLE'"
            )
        ]
        return {
            name: {
                json.dumps({**row, "last_seen": None, "clock_offset_ms": None}, sort_keys=True)
                for (row,) in connection.execute(f"SELECT to_jsonb(t) FROM {name} t".encode())  # noqa: S608
                if row.get("owner") != "a-keeper"
            }
            for name in names
            if name not in CHURNING and not name.startswith("rollup")
        }


def changes(before: dict[str, set[str]], after: dict[str, set[str]]) -> list[tuple[str, str]]:
    """Return the rows that came, went or changed."""
    return [(name, row) for name in before for row in sorted(before[name] ^ after.get(name, set()))]
