"""The description of the API that the console's client is generated from is the API's own."""

from __future__ import annotations

import json
import re
from pathlib import Path

from central.app import create_app
from central.config import Config
from central.security.origin import SAFE_METHODS
from tests.central.security.test_routes_closed import OPEN

WEB = Path(__file__).parents[3] / "central" / "console" / "web"


def test_openapi_json_is_fresh() -> None:
    described = create_app(Config(data_dir=Path("unused"))).openapi()
    stored = json.loads((WEB / "openapi.json").read_text("utf-8"))
    assert stored == described, "run `citynerve openapi > central/console/web/openapi.json`"


def test_every_operation_has_a_name_a_tag_and_documented_refusals() -> None:
    described = create_app(Config(data_dir=Path("unused"))).openapi()
    names = []
    for path, operations in described["paths"].items():
        for method, operation in operations.items():
            names.append(operation["operationId"])
            assert operation["tags"], (method, path)
            assert operation["description"], (method, path)
            refusals = {"503"} if (method.upper(), path) in OPEN else {"401", "503"}
            assert refusals <= set(operation["responses"]), (method, path)
            for status, response in operation["responses"].items():
                if int(status) >= 400:
                    assert list(response["content"]) == ["application/problem+json"], (method, path)
    assert len(names) == len(set(names))
    assert all(name.isidentifier() and name[0].islower() for name in names)


def test_every_deed_of_the_audit_trail_has_words_in_both_languages() -> None:
    described = json.loads((WEB / "openapi.json").read_text("utf-8"))
    audited = {"finishOidc", "addUser", "setRetention", "backup", "restore"} | {
        operation["operationId"]
        for operations in described["paths"].values()
        for method, operation in operations.items()
        if method.upper() not in SAFE_METHODS
    }
    told = (WEB / "src" / "i18n" / "parts" / "audit.ts").read_text("utf-8")
    tables = re.findall(r"deed: \{(.*?)\n    \}", told, re.DOTALL)
    assert len(tables) == 2
    for table in tables:
        words = dict(re.findall(r"(\w+): '([^']+)'", table))
        assert words.keys() == audited
        assert len(set(words.values())) == len(words), "two deeds that read alike cannot be told apart"
