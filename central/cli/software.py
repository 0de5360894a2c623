"""The part of `citynerve gateway` about software: a key, signed packages, updates.

The private key is a file of the operator's; the centre neither keeps it nor needs it to run.
"""

from __future__ import annotations

import hashlib
import os
import zipfile
from email.parser import HeaderParser
from pathlib import Path
from typing import Annotated

import msgspec
import typer
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
    load_pem_private_key,
)

from central.cli.attached import Attached, Id, Json, Wait, attached, ended, tell
from central.cli.settings import Data, settings
from central.link.order_rows import OrderView
from protocols.errors import Rejected

NAME = "citynerve"


def make_key(
    file: Annotated[Path, typer.Argument(help="New file for the private key (PEM, mode 0600).")],
) -> None:
    """Make a key to sign software with, and print the public one for the gateways' files.

    Keep the file off the centre: whoever has it decides what gateways run.
    """
    key = Ed25519PrivateKey.generate()
    pem = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    try:
        with os.fdopen(os.open(file, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as out:
            out.write(pem)
    except OSError as error:
        raise Rejected(
            "key", f"{file} cannot be made: {error.strerror}; name a file that is not there"
        ) from error
    typer.echo(f"updates: {{public_key: {_public(key)}}}")
    typer.echo("Write this line into the file of each gateway that shall take updates.", err=True)


def stage(
    wheel: Annotated[Path, typer.Argument(help="Wheel of a version.", exists=True, dir_okay=False)],
    key: Annotated[Path, typer.Option(help="Private key to sign it with.", exists=True, dir_okay=False)],
    data: Data = None,
) -> None:
    """Sign a wheel and keep it at the centre, where gateways may fetch it.

    Example: citynerve gateway stage citynerve-0.2.0-py3-none-any.whl --key /media/stick/software.pem
    """
    content = wheel.read_bytes()
    version = _version(wheel)
    signature = _key(key).sign(hashlib.sha256(content).digest() + version.encode()).hex()
    staged = attached(
        settings(data),
        lambda centre: centre.packages.stage(
            version=version,
            file_name=wheel.name,
            content=content,
            signature=signature,
            staged_by=centre.actor,
        ),
    )
    typer.echo(f"{staged.version} is staged, {staged.size} bytes, sha256 {staged.sha256}")


def packages(data: Data = None, as_json: Json = False) -> None:
    """List the staged packages, newest first."""
    found = attached(settings(data), lambda centre: centre.packages.list())
    if as_json:
        typer.echo(msgspec.json.encode(list(found)).decode())
        return
    for package in found:
        typer.echo(
            f"{package.version:16} {package.size / 1e6:8.1f} MB  {package.staged_at:%Y-%m-%d %H:%M}  "
            f"{package.staged_by}  {package.file_name}"
        )


def update(
    gateway: Id,
    version: Annotated[str, typer.Argument(help="A staged version.")],
    wait: Wait = False,
    data: Data = None,
) -> None:
    """Let a gateway install a staged version. One that is not well afterwards goes back by itself.

    Example: citynerve gateway update gw-north 0.2.0 --wait
    """

    async def send(centre: Attached) -> OrderView:
        sent = await centre.wishes.update(gateway, version, centre.actor)
        return await ended(centre, sent) if wait else sent

    tell(attached(settings(data), send), wait=wait)


def _version(wheel: Path) -> str:
    """Return the version that a wheel of this product says it is."""
    problem = f"{wheel} is no wheel of {NAME}; build one with: pip wheel --no-deps ."
    try:
        with zipfile.ZipFile(wheel) as archive:
            (name,) = [
                name
                for name in archive.namelist()
                if name.startswith(f"{NAME}-") and name.endswith(".dist-info/METADATA")
            ]
            found = HeaderParser().parsestr(archive.read(name).decode())
    except (zipfile.BadZipFile, ValueError) as error:
        raise Rejected("bad-package", problem) from error
    if found["Name"] != NAME or not found["Version"]:
        raise Rejected("bad-package", problem)
    return str(found["Version"])


def _key(file: Path) -> Ed25519PrivateKey:
    try:
        key = load_pem_private_key(file.read_bytes(), password=None)
    except (OSError, ValueError, TypeError) as error:
        raise Rejected("key", f"{file} holds no private key in PEM: {error}") from error
    if not isinstance(key, Ed25519PrivateKey):
        raise Rejected(
            "key", f"{file} holds another kind of key; make one with: citynerve gateway make-key FILE"
        )
    return key


def _public(key: Ed25519PrivateKey) -> str:
    return key.public_key().public_bytes(Encoding.Raw, PublicFormat.Raw).hex()
