"""What an administrator wants of a gateway, over HTTP: refused with a reason, or in the gateway's inbox."""

from __future__ import annotations

from typing import Any

import pytest

from central.security.roles import Role
from protocols.model.command import CommandOutcome, CommandState
from protocols.model.order import ConfigPush, Rotate, Update
from protocols.wire.channels import PACKAGES
from protocols.wire.handshake import MASK
from tests.central.systems.field import FieldGateway
from tests.central.systems.running import Running

TEXT = "gateway:\n  id: gw-north  # 北\n"


async def test_a_push_reaches_the_gateway_and_its_result_the_screen(
    city: Running, gateway: FieldGateway
) -> None:
    asked = {"text": TEXT, "profiles": {"own.yaml": "id: own"}, "note": "泵", "probation_s": 30, "base": "d1"}
    sent = await city.post("/gateways/gw-north/configurations", asked, Role.ADMIN, expect=202)
    (item,) = await gateway.inbox()
    push = item.order
    assert isinstance(push, ConfigPush)
    assert (push.id, push.text, push.profiles, push.note, push.probation_s, push.base) == (
        sent["id"], TEXT, asked["profiles"], "泵", 30, "d1",
    )  # fmt: skip
    assert push.issued_by == "test-admin"
    await gateway.outcome(
        CommandOutcome(
            command=push.id, state=CommandState.MISMATCH, reason="rolled-back", detail="uplink died",
            finished_us=city.clock(),
        )
    )  # fmt: skip
    (shown,) = (await city.get("/gateways/gw-north/orders", kind="config"))["items"]
    assert (shown["state"], shown["reason"], shown["subject"]) == ("mismatch", "rolled-back", "泵")
    text = await city.get(f"/gateways/gw-north/orders/{sent['id']}/configuration", Role.ADMIN)
    assert (text["text"], text["profiles"]) == (TEXT, asked["profiles"])


@pytest.mark.parametrize(
    ("changes", "status", "code"),
    [
        ({"text": f"password: {MASK}"}, 422, "withheld"),
        ({"text": ""}, 422, "invalid"),
        ({"probation_s": 1}, 422, "invalid"),
        ({"profiles": {"a.yaml": "x\0"}}, 422, None),
        ({"text": "x" * 8_500_000}, 422, "too-large"),
        ({"unknown": 1}, 422, "invalid"),
    ],
)
async def test_a_push_that_cannot_be_meant_is_refused(
    city: Running, gateway: FieldGateway, changes: dict[str, Any], status: int, code: str | None
) -> None:
    asked = {"text": TEXT, **changes}
    problem = await city.post("/gateways/gw-north/configurations", asked, Role.ADMIN, expect=status)
    assert code is None or problem["type"] == f"/problems/{code}"
    assert await gateway.inbox() == ()


@pytest.mark.parametrize(
    ("path", "body"),
    [("configurations", {"text": TEXT}), ("rotate", None), ("updates", {"version": "1"}), ("revoke", None)],
)
async def test_only_administrators_change_gateways(
    city: Running, gateway: FieldGateway, path: str, body: Any
) -> None:
    await city.post(f"/gateways/gw-north/{path}", body, Role.OPERATOR, expect=403)
    await city.post(f"/gateways/gw-nowhere/{path}", body, Role.ADMIN, expect=404)
    assert await gateway.inbox() == ()


async def test_rotation_is_asked_for(city: Running, gateway: FieldGateway) -> None:
    sent = await city.post("/gateways/gw-north/rotate", None, Role.ADMIN, expect=202)
    (item,) = await gateway.inbox()
    assert isinstance(item.order, Rotate)
    assert item.order.id == sent["id"]


async def test_a_staged_version_is_ordered_and_fetched(city: Running, gateway: FieldGateway) -> None:
    missing = await city.post("/gateways/gw-north/updates", {"version": "9.9.9"}, Role.ADMIN, expect=409)
    assert missing["type"] == "/problems/not-staged"
    staged = await city.centre.packages.stage(
        version="9.9.9", file_name="citynerve-9.9.9-py3-none-any.whl", content=b"wheel", signature="ab" * 64,
        staged_by="ann",
    )  # fmt: skip
    await city.post("/gateways/gw-north/updates", {"version": "9.9.9"}, Role.ADMIN, expect=202)
    (item,) = await gateway.inbox()
    order = item.order
    assert isinstance(order, Update)
    assert (order.package, order.size, order.sha256) == (staged.id, 5, staged.sha256)
    async with city.client(None) as client:
        path = PACKAGES.format(package=order.package)
        assert (await client.get(path)).status_code == 401
        assert (await client.get(path, headers=gateway.headers)).content == b"wheel"
        gone = await client.get(PACKAGES.format(package="x"), headers=gateway.headers)
    assert gone.status_code == 404
    (shown,) = (await city.get("/packages"))["items"]
    assert (shown["version"], shown["size"]) == ("9.9.9", 5)


async def test_a_gateway_that_never_reported_has_no_status(city: Running, gateway: FieldGateway) -> None:
    assert (await city.get("/gateways/gw-north"))["status"] is None
    async with city.client(Role.ADMIN) as client:
        for path in ("gw-nowhere", "gw-north/configurations/running", "gw-nowhere/orders"):
            assert (await client.get(f"/api/v1/gateways/{path}")).status_code == 404, path
