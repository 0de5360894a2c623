"""What a technician writes under `connections:` for an OPC UA server, and per device under `params:`.

`security_policy` is the last part of the policy's URI, as servers and their manuals print it. The deprecated
Basic128Rsa15 and Basic256 (SHA-1) are not among them.
"""

from __future__ import annotations

from pathlib import Path
from typing import Literal
from urllib.parse import urlsplit

from pydantic import Field, model_validator

from protocols.model.strict import Strict

Policy = Literal["None", "Basic256Sha256", "Aes128_Sha256_RsaOaep", "Aes256_Sha256_RsaPss"]
Mode = Literal["Sign", "SignAndEncrypt"]


class OpcUaSettings(Strict):
    """Where the server is, how the line to it is secured, and as whom the gateway signs in."""

    url: str = Field(pattern=r"^opc\.tcp://.+", description="opc.tcp://host:4840")
    security_policy: Policy = "None"
    security_mode: Mode = "SignAndEncrypt"
    username: str | None = Field(default=None, min_length=1)
    password_file: Path | None = Field(default=None, description="file whose first line is the password")
    password_env: str | None = Field(
        default=None, pattern=r"^[A-Za-z_]\w*$", description="environment variable with the password"
    )
    plain_password: bool = Field(
        default=False, description="send the password though nothing encrypts it: on a line of your own only"
    )
    user_certificate: Path | None = Field(default=None, description="certificate to sign in with, PEM or DER")
    user_key: Path | None = Field(default=None, description="its private key, PEM or DER")
    certificate: Path | None = Field(
        default=None, description="the gateway's application certificate, where your own authority issues it"
    )
    private_key: Path | None = Field(default=None, description="its private key, PEM or DER")
    accept_expired: bool = Field(
        default=False, description="bear a trusted server certificate that is outside its dates"
    )
    publishing_ms: float = Field(
        default=250.0, ge=50, le=60_000, description="how often the server is to report changes"
    )
    polling: bool = Field(default=False, description="read the points instead of subscribing to them")
    history_h: float = Field(
        default=24.0,
        ge=0,
        le=744,
        description="hours of a gap that are filled from the server's own history; 0: none",
    )
    pki_dir: Path | None = Field(
        default=None, description="folder of certificates and trust; `opcua` in the state folder by itself"
    )

    @model_validator(mode="after")
    def _consistent(self) -> OpcUaSettings:
        if self.security_policy == "None" and "security_mode" in self.model_fields_set:
            raise ValueError(
                "security_mode says nothing where security_policy is None; "
                "write `security_policy: Basic256Sha256` as well, or remove security_mode"
            )
        if "@" in urlsplit(self.url).netloc:
            raise ValueError(
                "the url holds a user name; write it as `username:`, and the password into `password_file:`"
            )
        if self.username is not None and self.user_certificate is not None:
            raise ValueError("username and user_certificate are two ways to sign in; remove one of them")
        if self.password_file is not None and self.password_env is not None:
            raise ValueError("password_file and password_env say the same; remove one of them")
        if self.username is None and (self.password_file or self.password_env or self.plain_password):
            raise ValueError("a password without a user; write `username:` as well")
        if (self.user_certificate is None) != (self.user_key is None):
            raise ValueError("user_certificate and user_key go together; give both, or neither")
        if (self.certificate is None) != (self.private_key is None):
            raise ValueError("certificate and private_key go together; give both, or neither")
        return self

    @property
    def secured(self) -> bool:
        """Whether messages are signed at least."""
        return self.security_policy != "None"


class OpcUaParams(Strict):
    """What stands for `{device}` in the node ids of the profile."""

    device: str = ""
