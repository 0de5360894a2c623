"""An MQTT address: topic and place in the payload, and how a device is commanded."""

from __future__ import annotations

from datetime import UTC, tzinfo
from typing import ClassVar, Literal
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from pydantic import Field, model_validator

from protocols.model.address.base import Address
from protocols.model.datatypes import REGISTERS, DataType, WordOrder
from protocols.model.strict import Strict


class MqttBytes(Strict):
    """Where a value lies in a binary payload, and how; the point's type says what it is."""

    offset: int = Field(ge=0, le=65535)
    length: int = Field(default=0, ge=0, le=65535, description="bytes; those of the type where not given")
    order: WordOrder = Field(default="ABCD", description="ABCD is big-endian, DCBA little-endian")
    bit: int | None = Field(default=None, ge=0, le=63, description="one bit of the number, LSB = 0")


class MqttState(Strict):
    """Topic on which a device says that it is there, and its last will that it is gone."""

    topic: str = Field(min_length=1)
    json_path: str = ""
    online: str = Field(
        default="", description="what it says when it is there; left out: online, on, true, yes or 1"
    )


class MqttAddress(Address):
    """Topic and place in the payload; `{device}` is filled in, paths are dotted (`a.b[0].c`)."""

    params: ClassVar = {"device": "device"}
    titles: ClassVar = {"主题": "topic"}
    as_json: ClassVar = frozenset({"bytes"})

    topic: str = Field(min_length=1)
    format: Literal["json", "csv", "bytes"] = Field(
        default="json", description="json, also for a payload that is the value itself"
    )
    json_path: str = Field(default="", description="of the value; of a row of CSV its column, [0] the first")
    separator: str = Field(default=",", min_length=1, max_length=1, description="between the columns of CSV")
    bytes: MqttBytes | None = Field(default=None, description="place in a binary payload")
    time_path: str = Field(default="", description="dotted path of the source time in the payload")
    time_zone: str = Field(
        default="UTC", description="of source times that name none: an IANA name such as Asia/Shanghai"
    )
    id_path: str = Field(
        default="", description="dotted path of the message's own id: one that came already is ignored"
    )
    command_topic: str = ""
    command_template: str = Field(default="", description='payload of a write, `{"on": {value}}`')
    response_topic: str = Field(default="", description="where the device answers commands")
    response_path: str = Field(default="", description="what of the answer says whether it was done")
    response_ok: str = Field(default="ok", description="that part of the answer when it was done")
    response_id_path: str = Field(
        default="", description="what of the answer repeats the command's {id}, where MQTT 5 does not"
    )

    @model_validator(mode="after")
    def _whole(self) -> MqttAddress:
        if (self.format == "bytes") != (self.bytes is not None):
            raise ValueError("a binary payload needs its place; give both `format: bytes` and `bytes: {…}`")
        if self.format == "bytes" and (self.json_path or self.time_path or self.id_path):
            raise ValueError("a binary payload has no paths; remove json_path, time_path and id_path")
        if self.format == "csv" and not self.json_path:
            raise ValueError('a row of CSV needs its column; give `json_path: "[0]"` for the first')
        if self.separator in '"\r\n' or self.separator == "\0":
            raise ValueError("the separator cannot be a quote or a line end; write `,`, `;` or a tab")
        try:
            self.zone()
        except (ZoneInfoNotFoundError, ValueError, OSError):
            raise ValueError(
                f"{self.time_zone!r} is no time zone; write an IANA name such as Asia/Shanghai"
            ) from None
        if self.response_topic and not self.command_topic:
            raise ValueError("nobody answers where nothing is asked; give `command_topic` too")
        if self.response_id_path and "{id}" not in self.command_template:
            raise ValueError("response_id_path needs an id to repeat; put {id} into command_template")
        return self

    def zone(self) -> tzinfo:
        """Return the zone of times that name none. UTC needs no time zone database."""
        return UTC if self.time_zone == "UTC" else ZoneInfo(self.time_zone)

    def check(self, kind: DataType, *, writable: bool) -> None:
        """A float has the length of its type."""
        if self.bytes and kind in ("f32", "f64") and self.bytes.length:
            raise ValueError("it is a float of fixed length; remove `length`")

    def wire_bytes(self, kind: DataType) -> int:
        """Those of a binary payload's place."""
        if self.bytes is None:
            return 0
        return self.bytes.length or (1 if kind == "bool" else 2 * REGISTERS.get(kind, 0))
