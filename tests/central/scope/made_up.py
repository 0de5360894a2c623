"""Requests that schemathesis makes up from the OpenAPI document. Importing it takes a second: do it late."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection
from dataclasses import dataclass, field
from typing import Any, Final

import schemathesis
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis.errors import Unsatisfiable
from schemathesis import GenerationMode
from schemathesis.checks import not_a_server_error
from schemathesis.core.failures import FailureGroup
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_schema_conformance,
    status_code_conformance,
)

CHECKS: Final = [
    not_a_server_error,
    status_code_conformance,
    content_type_conformance,
    response_schema_conformance,
]
PATIENCE_S: Final = 60
"""No answer takes that long; it ends what would hang."""


@dataclass
class Found:
    """What was answered, by status, and what should not have been."""

    statuses: Counter[int] = field(default_factory=Counter)
    failures: list[str] = field(default_factory=list)


def tried(
    document: dict[str, Any], address: str, token: str, *, examples: int, but: Collection[str]
) -> Found:
    """Try each operation of the document but those, so often with what it allows, and with what it does not.

    Few examples are always the same, so that a suite does not fail by chance; many are made anew each time.
    A single one is one that is allowed: others are refused at the door, and take longest to make up.
    """
    schema: Any = schemathesis.openapi.from_dict(document)
    schema.config.update(base_url=address)
    found = Found()
    for result in schema.get_all_operations():
        operation = result.ok()
        if operation.definition.raw["operationId"] not in but:
            for mode in [GenerationMode.POSITIVE] if examples == 1 else GenerationMode:
                _try(operation, mode, token, examples, found)
    return found


def _try(operation: Any, mode: GenerationMode, token: str, examples: int, found: Found) -> None:
    @settings(
        max_examples=examples, phases=[Phase.generate], derandomize=examples < 20, database=None,
        suppress_health_check=list(HealthCheck),
    )  # fmt: skip
    @given(case=operation.as_strategy(generation_mode=mode))
    def once(case: Any) -> None:
        answer = case.call(headers={"Authorization": f"Bearer {token}"}, timeout=PATIENCE_S)
        found.statuses[answer.status_code] += 1
        case.validate_response(answer, checks=CHECKS)

    try:
        once()
    except Unsatisfiable:
        return  # it takes nothing that could be wrong
    except FailureGroup as group:
        told = "; ".join(f"{type(one).__name__}: {one}" for one in group.exceptions)
        found.failures.append(f"{operation.label}: {told}"[:2000])
