"""What looks like a secret is hidden, wherever it stands; what a helper needs to see is not."""

from __future__ import annotations

import json
import time
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge.tools.secrets import MASK, Masker, known_secrets

S = "Zx9hunter2Qp"


@pytest.mark.parametrize(
    "text",
    [
        f"password: {S}",
        f"password: {S} and more {S}",
        f"    Password = '{S}'",
        f'"token": "{S}"',
        f'{{"refresh_token":"{S}","a":1}}',
        f"mqtt_password={S}",
        f"secret: [{S}, {S}]",
        f"api-key: {S}",
        f"apiKey: {S}",
        f"Authorization: Bearer {S}",
        f"authorization: Basic {S}==",
        f"sent bearer {S} to it",
        f"url: https://duty:{S}@centre.example.city/x",
        f"opc.tcp://u:{S}@192.0.2.1:4840",
        f"mqtt://{S}@broker",
        f"https://x/y?access_token={S}&z=1",
        f"https://x/y?api_key={S}",
        f"hash: scrypt$16384${S}",
        f"$scrypt$ln=14,r=8,p=1$abc${S}",
        f"-----BEGIN EC PRIVATE KEY-----\n{S}\n-----END EC PRIVATE KEY-----",
        f"set-cookie: session={S}",
        f"enrolment code: {S}",
    ],
)
def test_what_stands_behind_its_word_is_hidden(text: str) -> None:
    assert S not in Masker()(text)
    assert MASK in Masker()(text) or "private key was here" in Masker()(text)


@pytest.mark.parametrize(
    "text",
    [
        "password_file: /etc/citynerve/mqtt.secret",
        "url: https://centre.example.city:8600/x",
        "pump1 does not answer: no answer within 300 ms",
        "connections: [{key: line1, settings: {host: 192.0.2.10, port: 502}}]",
    ],
)
def test_what_helps_stays(text: str) -> None:
    assert Masker()(text) == text


@given(
    st.text(st.characters(min_codepoint=33, max_codepoint=0x4E10), min_size=4, max_size=40),
    st.text(),
    st.text(),
)
def test_a_known_secret_is_hidden_anywhere(secret: str, before: str, after: str) -> None:
    mask = Masker([secret])
    if secret in MASK * 20 or secret in (before + MASK + after):
        return
    assert secret not in mask(f"{before}{secret}{after}")
    assert json.dumps(secret)[1:-1] not in mask(json.dumps({"x": secret}))


@pytest.mark.parametrize(
    "text", ["a" * 1_000_000, "password" * 100_000, "a://" * 100_000, "?a" * 300_000, '"' * 500_000]
)
def test_hostile_text_takes_no_longer(text: str) -> None:
    before = time.process_time()
    Masker()(text)
    assert time.process_time() - before < 30


def test_a_gateways_secrets_are_read_where_they_lie(tmp_path: Path) -> None:
    (tmp_path / "credentials.json").write_text('{"gateway": "gw-a", "token": "T1-secret"}')
    (tmp_path / "credentials.json.new").write_text('{"gateway": "gw-a", "token": "T2-secret"}')
    (tmp_path / "page.json").write_text('{"hash": "H-secret", "inner": [{"salt": "S-secret"}]}')
    (tmp_path / "broken.json").write_text("{")
    password = tmp_path / "mqtt.secret"
    password.write_text("P-secret\n")
    found = set(known_secrets(tmp_path, [password, tmp_path / "none"]))
    assert found == {"T1-secret", "T2-secret", "H-secret", "S-secret", "P-secret"}
    assert list(known_secrets(tmp_path / "none", [])) == []
