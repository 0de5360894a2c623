"""No secret reaches the log, wherever in a line it stands; what is no secret stays readable."""

from __future__ import annotations

import json
import logging
from collections.abc import Iterator

import pytest
import structlog

from central.kernel import logs
from central.kernel.redact import MASK, redact

TOKEN = "cng_7Gw7w5CIg-TobL5rawTs8OTYuK1-cbx_S9EI1NSihvY"


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("password", "hunter2"),
        ("new_password", "hunter2"),
        ("Authorization", "Bearer abcdefghijkl"),
        ("enrolment_code", "ABCD-EFGH"),
        ("error", f"refused {TOKEN}"),
        ("error", "connection to postgresql://centre:hunter2@db/city failed"),
        ("header", "Bearer hunter2hunter2"),
        ("cookies", "lang=zh; cn_session=hunter2"),
        ("deed", {"body": {"password": "hunter2"}}),
        ("items", [{"token": TOKEN}]),
        ("thing", type("Thing", (), {"__repr__": lambda self: f"<Thing {TOKEN}>"})()),
    ],
)
def test_a_secret_is_taken_out(name: str, value: object) -> None:
    said = json.dumps(redact(None, "info", {name: value}), ensure_ascii=False)
    assert MASK in said
    assert "hunter2" not in said
    assert TOKEN not in said


def test_what_is_no_secret_stays() -> None:
    event = {
        "event": "gateway.enrolled", "gateway": "gw-north", "tokens": 3, "number": 1.5, "none": None,
        "path": "/api/v1/tokens", "batches": [1, 2], "why": "the token is not known", "token": "",
    }  # fmt: skip
    assert redact(None, "info", dict(event)) == event


@pytest.fixture
def configured() -> Iterator[None]:
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    kept = structlog.get_config()
    yield
    structlog.configure(**kept)
    root.handlers[:] = handlers
    root.setLevel(level)


@pytest.mark.usefixtures("configured")
def test_lines_are_json_with_the_request_and_without_the_secret(capsys: pytest.CaptureFixture[str]) -> None:
    logs.configure("info")
    with structlog.contextvars.bound_contextvars(request_id="abcd1234"):
        structlog.get_logger("ours").info("done", password="hunter2")
        logging.getLogger("theirs").warning("token %s", TOKEN)
        try:
            int(f"no {TOKEN}")
        except ValueError:
            logging.getLogger("theirs").exception("failed")
    lines = [json.loads(line) for line in capsys.readouterr().err.splitlines()]
    assert [line["event"] for line in lines] == ["done", f"token {MASK}", "failed"]
    assert {line["request_id"] for line in lines} == {"abcd1234"}
    assert "Traceback" in lines[2]["exception"]
    assert TOKEN not in json.dumps(lines)
