"""What of its configuration a gateway shows to the centre: everything but secrets.

No setting takes a secret by value: drivers read passwords from files that they name. What is masked here
is what a person wrote nevertheless: in a comment, under a key of his own, in a URL with a password.
"""

from __future__ import annotations

import re
from collections.abc import Mapping

from protocols.wire.handshake import MASK, RunningConfig

_VALUE = re.compile(
    r"""(?P<key>\b[\w-]*(?:passw(?:or)?d|passphrase|secret|token|api_?key|private_key|credential)
            [\w-]*["']?\s*[:=][ \t]*)
        (?P<value>"[^"\n]*"|'[^'\n]*'|[^\s,}\]\#][^,}\]\#\n]*)""",
    re.IGNORECASE | re.VERBOSE,
)
_NAMES_A_FILE = re.compile(r"(?:_file|_env|_path)[\"']?\s*[:=]", re.IGNORECASE)
_IN_URL = re.compile(
    r"(?P<before>[a-z][a-z0-9+.-]*://[^\s/:@]*:)(?P<value>[^\s/@]+)(?P<after>@)", re.IGNORECASE
)


def shown(text: str, profiles: Mapping[str, str]) -> RunningConfig:
    """Return a configuration as the centre may see it, with the number of values withheld."""
    seen, masked = mask(text)
    others: dict[str, str] = {}
    for name, profile in profiles.items():
        others[name], more = mask(profile)
        masked += more
    return RunningConfig(text=seen, profiles=others, masked=masked)


def mask(text: str) -> tuple[str, int]:
    """Return a text with `MASK` in the place of its secrets, and how many there were."""
    count = 0

    def value(found: re.Match[str]) -> str:
        nonlocal count
        if _NAMES_A_FILE.search(found["key"]) or found["value"].strip() in {"", "null", "~", "|", ">"}:
            return found[0]
        count += 1
        return found["key"] + MASK

    def url(found: re.Match[str]) -> str:
        nonlocal count
        count += 1
        return found["before"] + MASK + found["after"]

    return _IN_URL.sub(url, _VALUE.sub(value, text)), count
