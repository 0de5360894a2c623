"""Which passwords are refused: short ones, one's own name, common words (NIST SP 800-63B-4, 3.1.1.2).

No rules of composition and no forced change by the calendar: the same source advises against both.
"""

from __future__ import annotations

import re
from typing import Final

from central.kernel.problem import Problem

MIN_LENGTH: Final = 12
"""Characters; a Chinese one, of thousands, counts as two."""
_CJK: Final = 0x2E80
_WORDS: Final = """
password passwort passw0rd p@ssw0rd p@ssword motdepasse mima wodemima admin administrator root guest user
welcome letmein changeme default secret qwerty qwertyuiop qwertzuiop azerty asdfgh asdfghjkl zxcvbn zxcvbnm
qazwsx qazwsxedc 1qaz2wsx 1q2w3e4r 1q2w3e4r5t q1w2e3r4 iloveyou woaini woainiwoaini nihao nihaoma wangpeng
sunshine princess football baseball basketball dragon monkey master superman batman trustno starwars shadow
michael jordan liverpool chelsea arsenal abc abcd abcabc abc123 aa123456 a123456 zhongguo beijing shanghai
citynerve city nerve linjiang operator viewer supervisor engineer duty console control scada modbus
test testing demo hello computer internet samsung huawei apple google windows server database postgres
spring summer autumn winter january monday correcthorsebatterystaple
"""
_COMMON: Final = frozenset(_WORDS.split())
_TRIMMED: Final = re.compile(r"^[\W\d_]+|[\W\d_]+$")
_RUNS: Final = ("01234567890123456789", "abcdefghijklmnopqrstuvwxyz", "qwertyuiopasdfghjklzxcvbnm")


def refuse_weak(password: str, username: str) -> None:
    """Problem 422 `weak-password` with the reason, for a password that others would try first."""
    reason = weakness(password, username)
    if reason is not None:
        raise Problem(
            422, "weak-password", "This password is too easy", f"{reason} A few unrelated words are good.",
            errors=[{"field": "body.password", "problem": reason}],
        )  # fmt: skip


def weakness(password: str, username: str) -> str | None:
    """Return why a password is refused; None for one that is not."""
    length = sum(2 if ord(character) >= _CJK else 1 for character in password)
    if length < MIN_LENGTH:
        return f"It has {length} characters; {MIN_LENGTH} are the least. A Chinese one counts as two."
    plain = password.casefold()
    names = {
        name for name in (username.casefold(), *re.split(r"[._-]", username.casefold())) if len(name) > 3
    }
    rest = plain
    for name in sorted(names, key=len, reverse=True):
        rest = rest.replace(name, "")
    if len(rest) < MIN_LENGTH // 2 and rest != plain:
        return "It is little more than the user name."
    core = _TRIMMED.sub("", plain)
    if plain in _COMMON or core in _COMMON:
        return "It is a common password, with or without figures around it."
    if _repeats(plain):
        return "It is one short piece repeated."
    if any(plain in run * 2 or plain[::-1] in run * 2 for run in _RUNS):
        return "It is a run of neighbouring keys, letters or figures."
    return None


def _repeats(text: str) -> bool:
    return any(text[: -size or None].startswith(text[size:]) for size in range(1, len(text) // 2 + 1))
