"""Settings of the sign-in at an OpenID provider, from the environment, and which claims give which grants."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final
from urllib.parse import urlsplit

from central.security import schemas
from protocols.errors import CityNerveError

_LOCAL: Final = {"localhost", "127.0.0.1", "::1"}


@dataclass(frozen=True, slots=True)
class OidcSettings:
    """Where people may sign in elsewhere, and what they may do here.

    issuer        its address, as its own discovery document says (CITYNERVE_OIDC_ISSUER)
    client_id     what the centre is called there (CITYNERVE_OIDC_CLIENT_ID)
    client_secret its secret there (CITYNERVE_OIDC_CLIENT_SECRET, or the path of a file that holds it,
                  CITYNERVE_OIDC_CLIENT_SECRET_FILE)
    label         what the button says (CITYNERVE_OIDC_LABEL)
    scopes        what is asked for (CITYNERVE_OIDC_SCOPES)
    redirect      address of `/api/v1/session/oidc/callback` as browsers see it, where a proxy hides it
                  (CITYNERVE_OIDC_REDIRECT)
    claim         which claim holds the groups (CITYNERVE_OIDC_CLAIM)
    name_claim    which claim holds the user name (CITYNERVE_OIDC_NAME_CLAIM)
    grants        what a group gives; who has none of them is not let in
                  (CITYNERVE_OIDC_GRANTS=it=admin;duty=operator@gulou,binjiang)
    """

    issuer: str
    client_id: str
    client_secret: str | None
    label: str
    scopes: str
    redirect: str | None
    claim: str
    name_claim: str
    grants: Mapping[str, schemas.Grant]

    def granted(self, claims: Mapping[str, Any]) -> list[schemas.Grant]:
        """Return the grants that somebody with these claims has."""
        held = claims.get(self.claim, [])
        groups = [held] if isinstance(held, str) else held if isinstance(held, list) else []
        return [grant for group, grant in self.grants.items() if group in groups]


def parse(environ: Mapping[str, str]) -> OidcSettings | None:
    """Read the settings; None where no issuer is set. CityNerveError with the repair for a wrong one."""
    issuer = environ.get("CITYNERVE_OIDC_ISSUER", "").rstrip("/")
    if not issuer:
        return None
    address = urlsplit(issuer)
    if address.scheme != "https" and address.hostname not in _LOCAL:
        raise CityNerveError(
            "CITYNERVE_OIDC_ISSUER must be an https:// address: whoever reads along could sign in"
        )
    client_id = environ.get("CITYNERVE_OIDC_CLIENT_ID", "")
    if not client_id:
        raise CityNerveError(
            "CITYNERVE_OIDC_ISSUER is set without CITYNERVE_OIDC_CLIENT_ID; set both or neither"
        )
    secret = environ.get("CITYNERVE_OIDC_CLIENT_SECRET") or None
    if file := environ.get("CITYNERVE_OIDC_CLIENT_SECRET_FILE"):
        try:
            secret = Path(file).read_text().strip()
        except OSError as error:
            raise CityNerveError(f"CITYNERVE_OIDC_CLIENT_SECRET_FILE {file!r}: {error.strerror}") from error
    return OidcSettings(
        issuer=issuer,
        client_id=client_id,
        client_secret=secret,
        label=environ.get("CITYNERVE_OIDC_LABEL", ""),
        scopes=environ.get("CITYNERVE_OIDC_SCOPES", "openid profile email"),
        redirect=environ.get("CITYNERVE_OIDC_REDIRECT") or None,
        claim=environ.get("CITYNERVE_OIDC_CLAIM", "groups"),
        name_claim=environ.get("CITYNERVE_OIDC_NAME_CLAIM", "preferred_username"),
        grants=_grants(environ.get("CITYNERVE_OIDC_GRANTS", "")),
    )


def _grants(text: str) -> dict[str, schemas.Grant]:
    """Read `group=role` or `group=role@district,district`, one after the other with `;` between."""
    grants: dict[str, schemas.Grant] = {}
    for part in filter(None, (piece.strip() for piece in text.split(";"))):
        found = re.fullmatch(r"(?P<group>[^=]+)=(?P<role>[a-z0-9._-]+)(?:@(?P<areas>.+))?", part)
        if found is None:
            raise CityNerveError(
                f"CITYNERVE_OIDC_GRANTS: {part!r} is not GROUP=ROLE or GROUP=ROLE@DISTRICT,DISTRICT"
            )
        areas = [area.strip() for area in (found["areas"] or "").split(",") if area.strip()]
        grants[found["group"].strip()] = schemas.Grant(role=found["role"], areas=areas)
    return grants
