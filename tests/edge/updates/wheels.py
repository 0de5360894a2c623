"""Signed wheels for tests: the tree as it is, under another version number, with a change if wanted."""

from __future__ import annotations

import hashlib
import io
import zipfile
from collections.abc import Mapping
from functools import cache
from pathlib import Path

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from protocols.model.clock import SECOND_US, now_us
from protocols.model.order import Update

ROOT = Path(__file__).resolve().parents[3]
PACKAGES = ("protocols", "edge", "firmware_configs")
KEY = Ed25519PrivateKey.from_private_bytes(bytes(range(32)))
PUBLIC = KEY.public_key().public_bytes(Encoding.Raw, PublicFormat.Raw).hex()


@cache
def _tree() -> dict[str, bytes]:
    """The files of a wheel of the gateway, by their names in it; without the page's sources."""
    found: dict[str, bytes] = {}
    for package in PACKAGES:
        for path in sorted((ROOT / package).rglob("*")):
            name = path.relative_to(ROOT).as_posix()
            if path.is_file() and "__pycache__" not in name and "console/web/" not in name:
                found[name] = path.read_bytes()
    return found


def wheel(version: str, changes: Mapping[str, str] | None = None, **metadata: str) -> bytes:
    """Return a wheel; changes: text appended to files by name. metadata: Name, Version where they lie."""
    files = dict(_tree())
    for name, text in (changes or {}).items():
        files[name] = files[name] + text.encode()
    fields = {"Name": "citynerve", "Version": version, **metadata}
    words = "".join(f"{key}: {value}\n" for key, value in {"Metadata-Version": "2.3", **fields}.items())
    files[f"citynerve-{version}.dist-info/METADATA"] = words.encode()
    content = io.BytesIO()
    with zipfile.ZipFile(content, "w", zipfile.ZIP_DEFLATED, compresslevel=1) as archive:
        for name, data in files.items():
            archive.writestr(name, data)
    return content.getvalue()


def order(name: str, version: str, content: bytes, key: Ed25519PrivateKey = KEY) -> Update:
    """Return the signed order for a package that the centre holds under its version."""
    digest = hashlib.sha256(content).digest()
    now = now_us()
    return Update(
        id=name,
        package=version,
        version=version,
        size=len(content),
        sha256=digest.hex(),
        signature=key.sign(digest + version.encode()).hex(),
        issued_us=now,
        expires_us=now + 600 * SECOND_US,
        issued_by="ann",
    )
