"""Templates: what is wrong is told with its place; what is put in stays data."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from central.kernel.problem import Problem
from central.notices.bodies import Http
from central.notices.request import in_address, in_header, in_json
from central.notices.templates import checked, filled
from central.notices.texts import FIELDS, fill
from central.notices.words import BUILT_IN, Text


def test_every_template_is_there_in_both_languages_and_has_no_fault() -> None:
    assert set(BUILT_IN) == {(name, lang) for name in FIELDS for lang in ("zh", "en")}
    for (name, _), text in BUILT_IN.items():
        checked(name, text)


@pytest.mark.parametrize(
    ("body", "said"),
    [
        ("line 1\nat ${nmae}", "body, line 2, column 4: ${nmae} is not known here"),
        ("costs 5 $", "body, line 1, column 9: a single $ means nothing; write $$"),
        ("${site", "body, line 1, column 1: a single $ means nothing"),
    ],
)
def test_a_fault_is_told_with_line_and_column(body: str, said: str) -> None:
    with pytest.raises(Problem) as told:
        checked("raised", Text("", body, ""))
    assert told.value.status == 422
    assert said in told.value.detail


def test_a_value_that_looks_like_a_template_stays_what_it_is() -> None:
    text = filled(Text("${name}\r\nBcc: x", "$$5 ${name} ${site}", ""), {"name": "${secret_key} {{7*7}}"})
    assert text.body == "$5 ${secret_key} {{7*7}} "
    assert "\n" not in text.subject


@given(st.text())
def test_values_stay_inside_their_place(value: str) -> None:
    value = value.encode("utf-8", "replace").decode()
    assert json.loads(fill('{"a": "${to}"}', {"to": in_json(value)})) == {"a": value}
    assert not set(in_address(value)) & set("&=?/#@ \r\n")
    assert not set(in_header(value)) & set("\r\n\0")


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        ({"url": "ftp://host/"}, "only http://"),
        ({"url": "https://${to}.host/"}, "scheme and host stand as they are"),
        ({"url": "https://user:pass@host/"}, "write credentials as a secret"),
        ({"body": '{"a": ${to}'}, "body, line 1, column 7"),
        ({"body": '{"a": "${tel}"}'}, "body, line 1, column 8: ${tel} is not known here"),
        ({"headers": {"Host": "x"}}, "'Host' cannot be set here"),
        ({"headers": {"X-A": "a\nb"}}, "must be one line"),
    ],
)
def test_a_request_that_cannot_be_is_refused(wrong: dict[str, object], said: str) -> None:
    with pytest.raises(ValidationError) as told:
        Http.model_validate({"kind": "sms", "url": "https://sms.test/", **wrong})
    assert said in str(told.value)
