"""What of a configuration leaves the gateway: everything that is no secret, and no secret."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge.link.disclosure import mask, shown
from protocols.wire.handshake import MASK

SECRET = st.text("abcdefgh0123456789!$%&/()=?*+~.", min_size=1, max_size=20)


@pytest.mark.parametrize(
    ("text", "secret"),
    [
        ("password: hunter2", "hunter2"),
        ('settings: {username: a, password: "hunter 2"}', "hunter 2"),
        ("  mqtt_Password : 'hunter2' # old", "hunter2"),
        ("# password = hunter2", "hunter2"),
        ("api_key: hunter2", "hunter2"),
        ("token: hunter2", "hunter2"),
        ("passphrase: a long one with spaces", "long one with"),
        ("url: mqtt://ann:hunter2@10.0.0.1:1883", "hunter2"),
        ('"client_secret": "hunter2",', "hunter2"),
    ],
)
def test_secrets_stay_at_the_gateway(text: str, secret: str) -> None:
    seen, count = mask(text)
    assert secret not in seen
    assert MASK in seen
    assert count == 1


@pytest.mark.parametrize(
    "text",
    [
        "password_file: /etc/citynerve/broker.pw",
        "  key_file: x.pem\n  password_file: secret.txt",
        "secret_env: BROKER",
        "host: 10.0.0.1\nport: 502  # 三号泵站",
        "url: https://centre.example:8443/path",
        "password:",
        "password: null",
        "name: {zh: 密码, en: Password}",
    ],
)
def test_everything_else_is_shown_as_it_is(text: str) -> None:
    assert mask(text) == (text, 0)


@given(SECRET, st.sampled_from(["password", "broker_secret", "token", "Passphrase"]))
def test_no_secret_survives_in_plain_yaml(secret: str, key: str) -> None:
    seen, _ = mask(f"{key}: '{secret}'\nhost: h")
    assert seen == f"{key}: {MASK}\nhost: h"


@given(st.text(max_size=300))
def test_masking_again_changes_nothing(text: str) -> None:
    once, _ = mask(text)
    assert mask(once)[0].count(MASK) == once.count(MASK)


def test_profiles_are_masked_too() -> None:
    config = shown("a: 1", {"own": "password: x1x", "other": "b: 2"})
    assert config.masked == 1
    assert config.profiles == {"own": f"password: {MASK}", "other": "b: 2"}
