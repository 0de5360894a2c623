"""Every path and header of the link, once. The gateway calls, the centre answers; nothing comes inbound."""

from __future__ import annotations

from typing import Final, Literal

Stream = Literal["alarms", "outcomes", "readings"]
STREAMS: Final[tuple[Stream, ...]] = ("alarms", "outcomes", "readings")
"""In order of urgency: alarms and outcomes overtake readings. Pictures come last, see `MEDIA`."""

ENROL: Final = "/gateway/v1/enrol"
"""POST Enrolment → Credentials. The one-time code is spent by it."""
DECLARATIONS: Final = "/gateway/v1/declarations/{hash}"
"""PUT Manifest.encode() → 204. Repeating it changes nothing."""
BATCHES: Final = "/gateway/v1/batches"
"""POST one encoded batch → Receipt; committed when it is answered."""
MEDIA: Final = "/gateway/v1/media"
"""POST one encoded picture (`protocols.wire.media`) → Receipt; a centre of before answers 404."""
INBOX: Final = "/gateway/v1/inbox"
"""GET ?after=N&wait=S → Inbox, held open until there is something or the wait is over."""
STATUS: Final = "/gateway/v1/status"
"""PUT GatewayStatus → 204. The newest one counts."""
ROTATE: Final = "/gateway/v1/token"
"""POST (empty, with the present token) → Credentials with a new one; see `Rotate`."""
CONFIG: Final = "/gateway/v1/configurations/{digest}"
"""PUT RunningConfig → 204: what a gateway runs, under the digest that its status names."""
PACKAGES: Final = "/gateway/v1/packages/{package}"
"""GET → the bytes of a staged software package."""

BATCH_TYPE: Final = "application/vnd.citynerve.batch+zstd"
MEDIA_TYPE: Final = "application/vnd.citynerve.media+msgpack"
CLOCK_HEADER: Final = "X-CityNerve-Sent-Us"
"""Gateway's wall clock as it sends; the centre derives the clock offset from it."""

MAX_BATCH_BYTES: Final = 4 * 1024 * 1024
MAX_BATCH_DECODED_BYTES: Final = 32 * 1024 * 1024
MAX_BATCH_READINGS: Final = 65_536
MAX_MEDIA_BYTES: Final = (2 << 20) + 64 * 1024
"""A picture with its words."""
MAX_MANIFEST_BYTES: Final = 32 * 1024 * 1024
MAX_STATUS_BYTES: Final = 64 * 1024
MAX_CONFIG_BYTES: Final = 8 * 1024 * 1024
"""Text and own profiles of one pushed configuration together."""
