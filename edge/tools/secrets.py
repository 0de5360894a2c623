"""Secrets taken out of text: those that are known here by value, and all that look like one.

A support bundle leaves the gateway's machine, so this errs on the side of hiding. Two nets, one under the
other: every secret in the state folder and in the password files is replaced wherever it stands; then what
stands behind a word such as `password` or `token`, in a URL's user part or query, or in an Authorization
header, whether it is known or not.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any, Final

MASK: Final = "***"
_LEAST: Final = 4
"""Shorter secrets are not replaced by value: `1` stands everywhere. Behind their word they are hidden."""
_WORD: Final = (
    r"pass(?:word|wd|phrase|code)?|pwd|secret|token|api[-_]?key|apikey|access[-_]?key|private[-_]?key|bearer|"
    r"authorization|cookie|credential(?:s)?|hash|salt|scrypt|enrol(?:ment)?[-_ ]?code"
)
# Lengths are bounded: a log with a line of a megabyte must not keep the masker busy.
_PATTERNS: Final = (
    # password: x | "token": "x" | secret=x, to the end of the value; a file's name is no secret.
    (
        re.compile(
            rf"""(?ix)((?:{_WORD})(?![\w-]{{0,40}}file)[\w-]{{0,40}}["']?\s{{0,9}}[:=]\s{{0,9}})
            (?: "(?:[^"\\]|\\.)*" | '(?:[^']|'')*' | \[[^\]]*\] | \{{[^}}]*\}}
            | [^\s,}}\]&;]+ (?:[ ][^\n,}}\]]*)? )""",
        ),
        rf"\1{MASK}",
    ),
    (re.compile(r"(?i)\b((?:bearer|basic|digest)\s+)[\w+/=.~-]{4,}"), rf"\1{MASK}"),
    (re.compile(r"\b([\w.+-]{1,20}://)[^/\s@\"']{0,300}@"), rf"\1{MASK}@"),
    (re.compile(rf"(?i)([?&][\w-]{{0,40}}(?:{_WORD}|key|sig|auth)[\w-]{{0,40}}=)[^&\s\"'#]+"), rf"\1{MASK}"),
    (
        re.compile(r"-----BEGIN [A-Z ]*PRIVATE KEY-----.*?-----END [A-Z ]*PRIVATE KEY-----", re.DOTALL),
        "(a private key was here)",
    ),
    (re.compile(r"\$(?:scrypt|argon2\w*|2[aby]|[156])\$[\w./+=$,-]+"), MASK),
)


class Masker:
    """Takes secrets out of text. `known` are values that must not appear anywhere."""

    def __init__(self, known: Iterable[str] = ()) -> None:
        found = {value for value in known if len(value) >= _LEAST}
        # The longest first: one secret may begin with another.
        self._known = sorted(found, key=lambda value: (-len(value), value))

    def __call__(self, text: str) -> str:
        """Return the text with every secret replaced by `***`."""
        for value in self._known:
            text = text.replace(value, MASK)
            escaped = json.dumps(value)[1:-1]
            if escaped != value:
                text = text.replace(escaped, MASK)
        for pattern, replacement in _PATTERNS:
            text = pattern.sub(replacement, text)
        return text


def known_secrets(state_dir: Path, password_files: Iterable[Path]) -> Iterator[str]:
    """Yield a gateway's secrets: every value in the JSON files of its state, the lines of its password files.

    Files that cannot be read have none that could get into a bundle.
    """
    for path in state_dir.glob("*.json*") if state_dir.is_dir() else ():
        try:
            yield from _strings(json.loads(path.read_text(encoding="utf-8")))
        except (OSError, ValueError):
            continue
    for path in password_files:
        try:
            lines = path.read_text(encoding="utf-8").splitlines()
        except (OSError, UnicodeDecodeError):
            continue
        yield from (line.strip() for line in lines)


def _strings(value: Any) -> Iterator[str]:
    if isinstance(value, dict):
        for key, inner in value.items():
            # The gateway's id stands beside its token and is no secret; it would be masked everywhere.
            if key not in ("gateway", "user", "name"):
                yield from _strings(inner)
    elif isinstance(value, list):
        for inner in value:
            yield from _strings(inner)
    elif isinstance(value, str):
        yield value
