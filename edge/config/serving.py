"""Section `page:`: where the technician's local page is served, and who may reach it."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

from pydantic import Field, model_validator

from edge.config.document import Document
from protocols.model.strict import Strict

PORT: Final = 8620


class PageEntry(Strict):
    """The local page. Loopback unless `host` says otherwise; the control socket is always there."""

    enabled: bool = True
    host: str = Field(default="127.0.0.1", min_length=1, description="address that the page listens on")
    port: int = Field(default=PORT, ge=0, le=65_535, description="its port; 0 takes a free one")
    cert_file: str | None = Field(default=None, description="PEM file with the page's certificate")
    key_file: str | None = Field(default=None, description="PEM file with the key of that certificate")

    @model_validator(mode="after")
    def _pair(self) -> PageEntry:
        if (self.cert_file is None) != (self.key_file is None):
            raise ValueError(
                "a certificate and its key go together; give `cert_file` and `key_file`, or neither"
            )
        return self


def check_page(document: Document, page: Mapping[str, Any], folder: Path) -> None:
    """Add a mistake for each file of `page:` that is not there; relative ones are meant from `folder`."""
    for name in ("cert_file", "key_file"):
        file = page.get(name)
        if isinstance(file, str) and not (folder / file).is_file():
            document.mistake(
                ("page", name),
                f"there is no file {file!r}",
                "a PEM file that the gateway's account can read",
                "copy it here, or remove both lines to serve the page without TLS on loopback",
            )
