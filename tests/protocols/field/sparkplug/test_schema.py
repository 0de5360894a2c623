"""The generated schema is that of payload.proto, field by field."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

from protocols.model import sparkplug
from protocols.model.sparkplug.payload_pb2 import Payload

PROTO = Path(sparkplug.__file__).parent / "payload.proto"
FIELD = re.compile(r"^\s*(?:optional|repeated)?\s*(\w+)\s+(\w+) = (\d+);", re.MULTILINE)


def fields(message: Any) -> list[tuple[str, int]]:
    """Return every field of a message and of the messages inside, by name and number."""
    found = [(field.name, field.number) for field in message.fields]
    for inner in message.nested_types:
        found += fields(inner)
    return found


def test_the_generated_code_is_fresh() -> None:
    written = [(name, int(number)) for _, name, number in FIELD.findall(PROTO.read_text(encoding="utf-8"))]
    assert len(written) == 72
    assert sorted(fields(Payload.DESCRIPTOR)) == sorted(written)
