"""Signing in at an OpenID provider: authorization code with PKCE (OpenID Connect Core 1.0, RFC 7636, 9207).

`state` ties the answer to the browser that asked and counts once; `nonce` ties the ID token to it; the
verifier ties the code to us. The ID token is checked by the provider's published keys, asymmetric ones only:
with `none` or a shared secret anybody, or the provider's other clients, could write one.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import secrets
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, Final
from urllib.parse import urlencode

import httpx2
import structlog
from joserfc import jwt
from joserfc.errors import JoseError
from joserfc.jwk import KeySet, import_key
from sqlalchemy import delete

from central.kernel.problem import Problem
from central.security.models import OidcAttempt
from central.security.oidc_settings import OidcSettings
from central.security.secret import digest
from central.store.base import Database
from protocols.model.clock import SECOND_US, Clock, to_datetime

log = structlog.get_logger(__name__)

ALGORITHMS: Final = ["RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "ES512", "EdDSA"]
PATIENCE: Final = timedelta(minutes=10)
"""How long somebody may take at the provider."""
LEEWAY_S: Final = 60
_TIMEOUT_S: Final = 10.0


@dataclass(frozen=True, slots=True)
class Begun:
    """Where to send the browser, and the secret that it keeps in a cookie meanwhile."""

    url: str
    browser: str


@dataclass(frozen=True, slots=True)
class Arrived:
    """Who came back from the provider, by its claims; next is where he wanted to go."""

    subject: str
    claims: Mapping[str, Any]
    next: str


class Oidc:
    """Sends people to the provider and checks what they bring back."""

    def __init__(self, database: Database, clock: Clock, settings: OidcSettings) -> None:
        self._database = database
        self._clock = clock
        self.settings = settings

    async def begin(self, redirect: str, next_page: str) -> Begun:
        """Note an attempt and return the provider's address for it. Problem 503 `provider`: it is away."""
        async with _client() as client:
            metadata = await self._discover(client)
        state, browser, nonce, verifier = (secrets.token_urlsafe(32) for _ in range(4))
        now = to_datetime(self._clock())
        async with self._database.session() as session:
            await session.execute(delete(OidcAttempt).where(OidcAttempt.expires_at < now))
            session.add(
                OidcAttempt(
                    state=digest(state),
                    browser=digest(browser),
                    nonce=nonce,
                    verifier=verifier,
                    next=next_page,
                    expires_at=now + PATIENCE,
                )
            )
        challenge = base64.urlsafe_b64encode(hashlib.sha256(verifier.encode()).digest()).rstrip(b"=").decode()
        query = {
            "response_type": "code",
            "client_id": self.settings.client_id,
            "redirect_uri": redirect,
            "scope": self.settings.scopes,
            "state": state,
            "nonce": nonce,
            "code_challenge": challenge,
            "code_challenge_method": "S256",
        }
        return Begun(f"{metadata['authorization_endpoint']}?{urlencode(query)}", browser)

    async def finish(self, redirect: str, query: Mapping[str, str], browser: str) -> Arrived:
        """Check what the browser brought back. Problem 403 `sign-in-elsewhere-failed` with the reason."""
        attempt = await self._attempt(query.get("state", ""), browser)
        if "error" in query:
            raise refused(query["error"][:100])
        # RFC 9207: an answer of another provider is not taken for this one's.
        if query.get("iss", self.settings.issuer).rstrip("/") != self.settings.issuer:
            raise refused("issuer")
        async with _client() as client:
            metadata = await self._discover(client)
            answer = await self._exchange(client, metadata, query.get("code", ""), redirect, attempt.verifier)
            keys = _keys(await _json(client, "GET", metadata["jwks_uri"]))
            claims = verify(
                str(answer.get("id_token", "")),
                keys,
                self.settings,
                attempt.nonce,
                self._clock() // SECOND_US,
            )
            if "userinfo_endpoint" in metadata and "access_token" in answer:
                bearer = {"Authorization": f"Bearer {answer['access_token']}"}
                told = await _json(client, "GET", metadata["userinfo_endpoint"], headers=bearer)
                if told.get("sub") == claims["sub"]:
                    claims = {**told, **claims}
        return Arrived(claims["sub"], claims, attempt.next)

    async def _attempt(self, state: str, browser: str) -> OidcAttempt:
        """Take the attempt, so that it counts once, and only for the browser that began it."""
        statement = delete(OidcAttempt).where(OidcAttempt.state == digest(state)).returning(OidcAttempt)
        async with self._database.session() as session:
            attempt = (await session.scalars(statement)).one_or_none()
        if attempt is None or attempt.expires_at < to_datetime(self._clock()):
            raise refused("state")
        if not hmac.compare_digest(attempt.browser, digest(browser)):
            raise refused("browser")
        return attempt

    async def _discover(self, client: httpx2.AsyncClient) -> dict[str, Any]:
        metadata = await _json(client, "GET", f"{self.settings.issuer}/.well-known/openid-configuration")
        if str(metadata.get("issuer", "")).rstrip("/") != self.settings.issuer:
            raise refused("issuer")
        return metadata

    async def _exchange(
        self, client: httpx2.AsyncClient, metadata: Mapping[str, Any], code: str, redirect: str, verifier: str
    ) -> dict[str, Any]:
        form = {
            "grant_type": "authorization_code",
            "code": code,
            "redirect_uri": redirect,
            "code_verifier": verifier,
        }
        secret = self.settings.client_secret
        basic = None if secret is None else httpx2.BasicAuth(self.settings.client_id, secret)
        if basic is None:
            form["client_id"] = self.settings.client_id
        return await _json(client, "POST", metadata["token_endpoint"], data=form, auth=basic)


def verify(token: str, keys: KeySet, settings: OidcSettings, nonce: str, now_s: int) -> dict[str, Any]:
    """Return the claims of an ID token (OpenID Connect Core 1.0, 3.1.3.7); Problem as above."""
    try:
        claims = dict(jwt.decode(token, keys, algorithms=ALGORITHMS).claims)
    except (JoseError, ValueError) as error:
        raise refused("signature") from error
    audience = claims.get("aud")
    audiences = [audience] if isinstance(audience, str) else audience
    if str(claims.get("iss", "")).rstrip("/") != settings.issuer:
        raise refused("issuer")
    if not isinstance(audiences, list) or settings.client_id not in audiences:
        raise refused("audience")
    if claims.get("azp", settings.client_id) != settings.client_id or (
        len(audiences) > 1 and "azp" not in claims
    ):
        raise refused("audience")
    if not isinstance(claims.get("exp"), int | float) or claims["exp"] < now_s - LEEWAY_S:
        raise refused("expired")
    if not isinstance(claims.get("iat"), int | float) or claims["iat"] > now_s + LEEWAY_S:
        raise refused("too-early")
    if not hmac.compare_digest(str(claims.get("nonce", "")).encode(), nonce.encode()):
        raise refused("nonce")
    if not isinstance(claims.get("sub"), str) or not claims["sub"]:
        raise refused("subject")
    return claims


def _keys(published: dict[str, Any]) -> KeySet:
    """Read the provider's keys; one of a kind that we do not know does not spoil the others."""
    keys = []
    for key in published.get("keys", []):
        try:
            keys.append(import_key(key))
        except (JoseError, ValueError, KeyError):
            log.warning("oidc.key_ignored", kid=key.get("kid"))
    return KeySet(keys)


def refused(reason: str) -> Problem:
    """Build the refusal; the reason is a word for whoever looks after the provider."""
    return Problem(
        403, "sign-in-elsewhere-failed", "Signing in elsewhere failed",
        f"{reason}: sign in again; if that does not help, ask the administrator.",
    )  # fmt: skip


def _client() -> httpx2.AsyncClient:
    return httpx2.AsyncClient(timeout=_TIMEOUT_S, follow_redirects=False)


async def _json(client: httpx2.AsyncClient, method: str, url: str, **more: Any) -> dict[str, Any]:
    try:
        answer = await client.request(method, url, **more)
        answer.raise_for_status()
        found = answer.json()
    except (httpx2.HTTPError, ValueError) as error:
        log.warning("oidc.provider_failed", url=url, error=str(error))
        raise Problem(
            503, "provider", "The sign-in elsewhere does not answer",
            "Sign in with a password, or try again later.",
        ) from error  # fmt: skip
    if not isinstance(found, dict):
        raise refused("answer")
    return found
