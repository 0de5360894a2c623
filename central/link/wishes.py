"""What an operator wants of a gateway beside commands: another configuration, token, software version.

One place for the console's routes and the command line, so that both refuse and remember the same.
"""

from __future__ import annotations

import uuid
from collections.abc import Mapping
from typing import Final

from central.link.order_rows import OrderView
from central.link.outbox import Outbox
from central.link.packages import Packages
from protocols.errors import Rejected
from protocols.model.clock import SECOND_US, Clock
from protocols.model.order import ConfigPush, Rotate, TakePicture, Update
from protocols.wire.channels import MAX_CONFIG_BYTES
from protocols.wire.handshake import MASK

PUSH_EXPIRY_S: Final = 86_400.0
ROTATE_EXPIRY_S: Final = 7 * 86_400.0
UPDATE_EXPIRY_S: Final = 7 * 86_400.0
PICTURE_EXPIRY_S: Final = 60.0
"""A picture is asked for by somebody who waits for it."""
MIN_PROBATION_S: Final = 10.0
MAX_PROBATION_S: Final = 3600.0


class Wishes:
    """Makes orders and leaves them in the outbox."""

    def __init__(self, outbox: Outbox, packages: Packages, clock: Clock) -> None:
        self._outbox = outbox
        self._packages = packages
        self._clock = clock

    async def configure(
        self,
        gateway: str,
        text: str,
        *,
        actor: str,
        profiles: Mapping[str, str] | None = None,
        note: str = "",
        probation_s: float = 120.0,
        base: str = "",
        expires_in_s: float = PUSH_EXPIRY_S,
    ) -> OrderView:
        """Push a whole configuration: the file's text and its own profiles by id.

        Raises KeyError for an unknown gateway; Rejected: `too-large`, `withheld`, `probation`, `expiry`,
        `revoked`, `not-storable`. Whether the text is a good configuration is the gateway's to say.
        """
        parts = {"": text, **(profiles or {})}
        size = sum(len(part.encode("utf-8", "replace")) for part in parts.values())
        if size > MAX_CONFIG_BYTES:
            raise Rejected(
                "too-large", f"the configuration has {size} bytes; at most {MAX_CONFIG_BYTES} are pushed"
            )
        if any(MASK in part for part in parts.values()):
            raise Rejected(
                "withheld",
                f"the text still holds {MASK}, in the place of a secret that the gateway kept to itself;"
                " put the value into a file at the gateway and name it (password_file: …)",
            )
        if not MIN_PROBATION_S <= probation_s <= MAX_PROBATION_S:
            raise Rejected(
                "probation",
                f"a probation lasts {MIN_PROBATION_S:.0f} to {MAX_PROBATION_S:.0f} s, not {probation_s:g}",
            )
        now = self._clock()
        push = ConfigPush(
            id=str(uuid.uuid4()),
            text=text,
            profiles=dict(profiles or {}),
            issued_us=now,
            expires_us=now + round(expires_in_s * SECOND_US),
            issued_by=actor,
            note=note,
            probation_s=probation_s,
            base=base,
        )
        return await self._outbox.order(gateway, push, actor)

    async def rotate(self, gateway: str, actor: str) -> OrderView:
        """Ask a gateway to fetch a new token. Raises KeyError; Rejected `revoked`."""
        now = self._clock()
        order = Rotate(
            id=str(uuid.uuid4()),
            issued_us=now,
            expires_us=now + round(ROTATE_EXPIRY_S * SECOND_US),
            issued_by=actor,
        )
        return await self._outbox.order(gateway, order, actor)

    async def update(self, gateway: str, version: str, actor: str) -> OrderView:
        """Ask a gateway to install a staged version.

        Raises KeyError for an unknown gateway; Rejected: `not-staged`, `revoked`.
        """
        package = await self._packages.find(version)
        if package is None:
            raise Rejected(
                "not-staged",
                f"version {version!r} is not staged; run: citynerve gateway stage WHEEL --key FILE",
            )
        now = self._clock()
        order = Update(
            id=str(uuid.uuid4()),
            package=package.id,
            version=package.version,
            size=package.size,
            sha256=package.sha256,
            signature=package.signature,
            issued_us=now,
            expires_us=now + round(UPDATE_EXPIRY_S * SECOND_US),
            issued_by=actor,
        )
        return await self._outbox.order(gateway, order, actor)

    async def picture(self, gateway: str, camera: str, actor: str, order_id: str = "") -> OrderView:
        """Ask a gateway for a picture now; camera is the device's key there.

        order_id: of an order that has been remembered already; empty: a new one. Only for a gateway whose
        status has `pictures`: an older one cannot read such an order. Raises KeyError for an unknown gateway;
        Rejected `revoked`.
        """
        now = self._clock()
        order = TakePicture(
            id=order_id or str(uuid.uuid4()),
            camera=camera,
            issued_us=now,
            expires_us=now + round(PICTURE_EXPIRY_S * SECOND_US),
            issued_by=actor,
        )
        return await self._outbox.order(gateway, order, actor)
