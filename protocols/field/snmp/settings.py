"""What a technician writes of an SNMP agent: where it is, its version, and the files of its secrets."""

from __future__ import annotations

from ipaddress import ip_address
from pathlib import Path
from typing import Final, Literal

from pydantic import Field, field_validator, model_validator

from protocols.model.strict import Strict

PORT: Final = 161
FILES: Final = ("community_file", "write_community_file", "trap_community_file", "auth_file", "priv_file")


class SnmpSettings(Strict):
    """One agent. Communities and pass phrases stand in files, of which the first line counts."""

    host: str = Field(min_length=1)
    port: int = Field(default=PORT, ge=1, le=65_535)
    version: Literal["1", "2c", "3"] = "2c"
    community_file: Path | None = Field(
        default=None, description="file with the community of versions 1 and 2c; left out: public"
    )
    write_community_file: Path | None = Field(
        default=None, description="file with the community for writes, where it is another one"
    )
    username: str | None = Field(default=None, min_length=1, max_length=32, description="user of version 3")
    auth: Literal["sha256", "sha384", "sha512", "sha224", "sha", "md5"] = "sha256"
    auth_file: Path | None = Field(default=None, description="file with the pass phrase of authentication")
    priv: Literal["aes", "aes192", "aes256", "des"] = "aes"
    priv_file: Path | None = Field(default=None, description="file with the pass phrase of encryption")
    context: str = Field(default="", max_length=255, description="context name of version 3")
    max_objects: int = Field(default=24, ge=1, le=128, description="objects in one request at most")

    trap_port: int | None = Field(
        default=None,
        ge=1,
        le=65_535,
        description="UDP port at which its traps and informs are heard; left out: none",
    )
    trap_address: str | None = Field(
        default=None,
        description="address of this machine that they come to; left out: the one facing the agent",
    )
    trap_community_file: Path | None = Field(
        default=None, description="file with the community of its traps, where it is another one"
    )

    @field_validator("trap_address")
    @classmethod
    def _an_address(cls, value: str | None) -> str | None:
        if value is not None:
            ip_address(value)
        return value

    @model_validator(mode="after")
    def _whole(self) -> SnmpSettings:
        third = ("username", "auth_file", "priv_file", "context")
        if self.version == "3":
            if self.username is None:
                raise ValueError("version 3 knows users; give `username`")
            if self.priv_file is not None and self.auth_file is None:
                raise ValueError("nothing is encrypted without authentication; give `auth_file` too")
            if any((self.community_file, self.write_community_file, self.trap_community_file)):
                raise ValueError("version 3 has no communities; remove them, or write `version: 2c`")
        elif written := [name for name in third if getattr(self, name)]:
            raise ValueError(f"`{written[0]}` is of version 3; remove it, or write `version: '3'`")
        return self


class SnmpParams(Strict):
    """What stands for `{index}` in the object ids of the profile: the row of a table, such as 3 or 1.2."""

    index: str = Field(default="", pattern=r"^(\d{1,10}(\.\d{1,10})*)?$", coerce_numbers_to_str=True)
