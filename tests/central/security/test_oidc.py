"""Signing in at a real OpenID provider (oidc-provider-mock, on Authlib's server); every forgery refused."""

from __future__ import annotations

import base64
import hmac
import json
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import httpx2
import pytest
from joserfc import jwt
from joserfc.jwk import KeySet, RSAKey

from central.kernel.problem import Problem
from central.security.oidc import verify
from central.security.oidc_settings import OidcSettings, parse
from central.security.roles import Role
from protocols.errors import CityNerveError
from tests.central.security.test_accounts import browser
from tests.central.systems.running import API, running_centre
from tests.ports import free_port

NOW = 1_800_000_000
KEY = RSAKey.generate_key(2048, {"kid": "one"})
KEYS = KeySet([RSAKey.import_key(KEY.as_dict(private=False))])


def settings(issuer: str = "https://id.example") -> dict[str, str]:
    return {
        "CITYNERVE_OIDC_ISSUER": issuer,
        "CITYNERVE_OIDC_CLIENT_ID": "citynerve",
        "CITYNERVE_OIDC_CLIENT_SECRET": "s3cret",
        "CITYNERVE_OIDC_GRANTS": "it=admin; duty=operator@gulou,binjiang",
    }


def known() -> OidcSettings:
    found = parse(settings())
    assert found is not None
    return found


def token(key: RSAKey = KEY, **changes: Any) -> str:
    claims = {
        "iss": "https://id.example",
        "aud": "citynerve",
        "sub": "42",
        "nonce": "n",
        "iat": NOW,
        "exp": NOW + 60,
    }
    kept = {name: value for name, value in {**claims, **changes}.items() if value is not None}
    return jwt.encode({"alg": "RS256", "kid": "one"}, kept, key)


def test_a_good_token_is_taken() -> None:
    assert verify(token(), KEYS, known(), "n", NOW)["sub"] == "42"
    assert verify(token(aud=["other", "citynerve"], azp="citynerve"), KEYS, known(), "n", NOW)["sub"] == "42"


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"nonce": "another"}, "nonce"),
        ({"nonce": None}, "nonce"),
        ({"aud": "somebody-else"}, "audience"),
        ({"aud": ["citynerve", "other"]}, "audience"),
        ({"azp": "other"}, "audience"),
        ({"iss": "https://evil.example"}, "issuer"),
        ({"exp": NOW - 120}, "expired"),
        ({"exp": None}, "expired"),
        ({"iat": NOW + 3600}, "too-early"),
        ({"sub": ""}, "subject"),
    ],
)
def test_a_wrong_claim_is_refused(changes: dict[str, Any], reason: str) -> None:
    with pytest.raises(Problem, match=f"{reason}: "):
        verify(token(**changes), KEYS, known(), "n", NOW)


def test_a_token_that_the_provider_did_not_sign_is_refused() -> None:
    def part(content: dict[str, Any]) -> str:
        return base64.urlsafe_b64encode(json.dumps(content).encode()).rstrip(b"=").decode()

    body = token().split(".")[1]
    unsigned = f"{part({'alg': 'none'})}.{body}."
    stranger = token(RSAKey.generate_key(2048, {"kid": "one"}))
    # The old confusion: the provider's public key, taken for a shared secret.
    signed = f"{part({'alg': 'HS256', 'kid': 'one'})}.{body}"
    mac = hmac.digest(KEY.as_pem(private=False), signed.encode(), "sha256")
    shared = f"{signed}.{base64.urlsafe_b64encode(mac).rstrip(b'=').decode()}"
    altered = token().replace(body, part({"iss": "https://id.example", "sub": "1"}))
    for forged in (unsigned, stranger, shared, altered, "", "a.b.c"):
        with pytest.raises(Problem, match="signature: "):
            verify(forged, KEYS, known(), "n", NOW)


@pytest.mark.parametrize(
    "wrong",
    [
        {"CITYNERVE_OIDC_ISSUER": "http://id.example"},
        {"CITYNERVE_OIDC_CLIENT_ID": ""},
        {"CITYNERVE_OIDC_GRANTS": "duty"},
        {"CITYNERVE_OIDC_CLIENT_SECRET_FILE": "/nowhere/secret"},
    ],
)
def test_a_wrong_setting_is_told(wrong: dict[str, str]) -> None:
    with pytest.raises(CityNerveError, match="CITYNERVE_OIDC"):
        parse({**settings(), **wrong})


@pytest.fixture(scope="module")
def provider() -> Iterator[str]:
    """A provider's server of its own process; its people are made with PUT /users/{sub}."""
    port = free_port()
    command = [sys.executable, "-W", "ignore", "-m", "oidc_provider_mock", "--port", str(port)]
    issuer = f"http://localhost:{port}"
    with subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as process:
        try:
            for _ in range(200):
                try:
                    httpx2.get(f"{issuer}/.well-known/openid-configuration", trust_env=False)
                    break
                except httpx2.TransportError:
                    time.sleep(0.1)
            yield issuer
        finally:
            process.terminate()
            process.wait(10)


def person(provider: str, subject: str, **claims: Any) -> None:
    httpx2.put(f"{provider}/users/{subject}", json=claims, trust_env=False).raise_for_status()


def consent(url: str, subject: str) -> str:
    """Sign in at the provider as its own page would; returns where it sends the browser."""
    answer = httpx2.post(url, data={"sub": subject}, trust_env=False)
    assert answer.status_code == 302, answer.text
    return str(answer.headers["location"])


async def arrive(client: httpx2.AsyncClient, subject: str, page: str = "/alarms") -> httpx2.Response:
    begun = await client.get(f"{API}/session/oidc", params={"next": page})
    assert begun.status_code == 302, begun.text
    asked = parse_qs(urlsplit(begun.headers["location"]).query)
    assert asked["code_challenge_method"] == ["S256"]
    back = urlsplit(consent(begun.headers["location"], subject))
    return await client.get(f"{back.path}?{back.query}")


async def test_signing_in_elsewhere(provider: str, database_url: str, tmp_path: Path) -> None:
    person(provider, "u1", preferred_username="Zhao.Yun", name="赵云", groups=["duty"])
    person(provider, "u2", preferred_username="nobody", groups=["sales"])
    person(provider, "u3", preferred_username="test-admin", groups=["it"])
    async with running_centre(database_url, tmp_path, oidc=settings(provider)) as city:
        async with browser(city) as client:
            assert (await client.get(f"{API}/session/ways")).json()["oidc"] is True
            done = await arrive(client, "u1")
            assert (done.status_code, done.headers["location"]) == (302, "/alarms")
            user = (await client.get(f"{API}/session")).json()["user"]
            assert (user["username"], user["display_name"]) == ("zhao.yun", "赵云")
            assert user["grants"] == [{"role": "operator", "areas": ["binjiang", "gulou"], "departments": []}]
            me = (await client.get(f"{API}/me")).json()
            assert (me["has_password"], me["second_factor"]) == (False, False)
            # A password would be a second way in that the provider does not know of.
            assert (await client.post(f"{API}/me/totp", json={"password": "x"})).status_code == 409
            body = {"username": "zhao.yun", "password": "none"}
            assert (await client.post(f"{API}/session", json=body)).status_code == 401
        async with browser(city) as client:
            for subject, reason in (("u2", "no-grant"), ("u3", "name-taken")):
                refused = await arrive(client, subject)
                assert refused.headers["location"] == f"/sign-in?failed={reason}"
                assert (await client.get(f"{API}/session")).status_code == 401
            # What the provider says of him now counts, not what it said.
            person(provider, "u1", preferred_username="zhao.yun", groups=["it"])
            await arrive(client, "u1")
            assert (await client.get(f"{API}/session")).json()["user"]["role"] == "admin"
        audit = (await city.get("/audit", Role.ADMIN))["items"]
        arrivals = [(item["actor"], item["status"]) for item in audit if item["operation"] == "finishOidc"]
        assert arrivals.count(("zhao.yun", 302)) == 2
        assert arrivals.count(("", 302)) == 2


async def test_an_answer_counts_once_and_for_the_browser_that_asked(
    provider: str, database_url: str, tmp_path: Path
) -> None:
    person(provider, "u1", preferred_username="zhao.yun", groups=["duty"])
    centre = running_centre(database_url, tmp_path, oidc=settings(provider))
    async with centre as city, browser(city) as client, browser(city) as other:
        begun = await client.get(f"{API}/session/oidc")
        back = urlsplit(consent(begun.headers["location"], "u1"))
        address = f"{back.path}?{back.query}"
        # Signing somebody else in as oneself, by a link: the other browser did not ask.
        planted = await other.get(address)
        assert planted.headers["location"] == "/sign-in?failed=browser"
        replayed = await client.get(address)
        assert replayed.headers["location"] == "/sign-in?failed=state"
        begun = await client.get(f"{API}/session/oidc")
        back = urlsplit(consent(begun.headers["location"], "u1"))
        mixed = await client.get(f"{back.path}?{back.query}&iss=https://evil.example")
        assert mixed.headers["location"] == "/sign-in?failed=issuer"
        begun = await client.get(f"{API}/session/oidc")
        late = urlsplit(consent(begun.headers["location"], "u1"))
        city.clock.move(601)
        assert "failed=state" in (await client.get(f"{late.path}?{late.query}")).headers["location"]
        for page in ("https://evil.example", "//evil.example", "/\\evil.example"):
            assert (await client.get(f"{API}/session/oidc", params={"next": page})).status_code == 422
        assert (await client.get(f"{API}/session")).status_code == 401


async def test_a_provider_that_is_away_is_told(database_url: str, tmp_path: Path) -> None:
    away = settings(f"http://localhost:{free_port()}")
    async with running_centre(database_url, tmp_path, oidc=away) as city, browser(city) as client:
        answer = await client.get(f"{API}/session/oidc")
        assert (answer.status_code, answer.json()["type"]) == (503, "/problems/provider")
