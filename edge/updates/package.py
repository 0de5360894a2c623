"""What a software package must be, and how it becomes a folder that Python can run.

A package is a pure wheel of this product (PEP 427): a zip whose content is the folder. No installer is
needed for it, and none is asked: nothing of the package runs before its signature has been checked.
"""

from __future__ import annotations

import re
import shutil
import zipfile
from email.parser import HeaderParser
from pathlib import Path, PurePosixPath
from typing import Final

from protocols.errors import Rejected
from protocols.model.order import Update

NAME: Final = "citynerve"
VERSION: Final = re.compile(r"^[0-9][0-9A-Za-z.+]{0,63}\Z")
MAX_UNPACKED: Final = 512 * 1024 * 1024
MAX_FILES: Final = 20_000


def check_signature(order: Update, public_key: str) -> None:
    """Check who signed a package, before a byte of it is fetched.

    public_key: 64 hexadecimal digits. Raises Rejected: `bad-signature`, `bad-version`.
    """
    # Eight megabytes that a gateway needs once in its life.
    from cryptography.exceptions import InvalidSignature  # noqa: PLC0415
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey  # noqa: PLC0415

    if not VERSION.match(order.version):
        raise Rejected("bad-version", f"{order.version!r} is no version of this product")
    try:
        key = Ed25519PublicKey.from_public_bytes(bytes.fromhex(public_key))
        key.verify(bytes.fromhex(order.signature), bytes.fromhex(order.sha256) + order.version.encode())
    except (InvalidSignature, ValueError) as error:
        raise Rejected(
            "bad-signature",
            f"version {order.version} is not signed with the key in `updates.public_key`; it was not fetched",
        ) from error


def unpack(wheel: Path, version: str, place: Path) -> None:
    """Unpack a checked wheel to `place`, whole or not at all.

    Raises Rejected `bad-package` where it is no wheel of this product and version; OSError.
    """
    fresh = place.with_name(place.name + ".new")
    shutil.rmtree(fresh, ignore_errors=True)
    try:
        with zipfile.ZipFile(wheel) as archive:
            _require(archive, version)
            fresh.mkdir(parents=True, mode=0o700)
            archive.extractall(fresh)
    except (zipfile.BadZipFile, zipfile.LargeZipFile, NotImplementedError, RuntimeError) as error:
        shutil.rmtree(fresh, ignore_errors=True)
        raise Rejected("bad-package", f"the package is no wheel: {error}") from error
    except OSError:
        shutil.rmtree(fresh, ignore_errors=True)
        raise
    shutil.rmtree(place, ignore_errors=True)
    fresh.replace(place)


def _require(archive: zipfile.ZipFile, version: str) -> None:
    infos = archive.infolist()
    if len(infos) > MAX_FILES or sum(info.file_size for info in infos) > MAX_UNPACKED:
        raise Rejected("bad-package", f"the package unpacks to more than {MAX_UNPACKED >> 20} MB")
    for info in infos:
        path = PurePosixPath(info.filename)
        if path.is_absolute() or ".." in path.parts or "\\" in info.filename:
            raise Rejected("bad-package", f"the package leads out of its folder: {info.filename!r}")
    try:
        metadata = archive.read(f"{NAME}-{version}.dist-info/METADATA").decode()
    except (KeyError, UnicodeDecodeError) as error:
        raise Rejected("bad-package", f"the package is not {NAME} {version}") from error
    found = HeaderParser().parsestr(metadata)
    if (found["Name"], found["Version"]) != (NAME, version):
        raise Rejected(
            "bad-package", f"the package says it is {found['Name']} {found['Version']}, not {NAME} {version}"
        )
