"""Where a request came from, as far as its headers tell."""

from __future__ import annotations

import pytest

from central.security.origin import Verdict, judge


@pytest.mark.parametrize(
    ("headers", "verdict"),
    [
        ({"sec-fetch-site": "same-origin"}, "same"),
        ({"sec-fetch-site": "none"}, "same"),
        ({"sec-fetch-site": "same-site"}, "other"),
        ({"sec-fetch-site": "cross-site"}, "other"),
        ({"sec-fetch-site": "cross-site", "origin": "http://ioc.city", "host": "ioc.city"}, "other"),
        ({"origin": "https://ioc.city", "host": "IOC.city"}, "same"),
        ({"origin": "http://127.0.0.1:8600", "host": "127.0.0.1:8600"}, "same"),
        ({"origin": "http://127.0.0.1:8601", "host": "127.0.0.1:8600"}, "other"),
        ({"origin": "https://evil.example", "host": "ioc.city"}, "other"),
        ({"origin": "null", "host": "ioc.city"}, "other"),
        ({"host": "ioc.city"}, "unknown"),
    ],
)
def test_verdict(headers: dict[str, str], verdict: Verdict) -> None:
    assert judge(headers) == verdict
