"""`citynerve-edge opcua …`: the certificates of OPC UA, that of this gateway and those of its servers.

A server is trusted by a person's word only: he compares the fingerprint with what the server itself shows, or
trusts the authority that signed it.
"""

from __future__ import annotations

import asyncio
import getpass
import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from edge.audit import Audit
from edge.cli.terminal import AsJson, GatewayFile, reported
from edge.cli.words import plain
from edge.config.bind import Plan
from edge.opening import open_plan
from protocols.errors import CityNerveError, Rejected
from protocols.model.clock import now_us

if TYPE_CHECKING:
    from protocols.field.opcua import OpcUaSettings
    from protocols.field.opcua.certificates import Shown

app = typer.Typer(
    help="Certificates of OPC UA: the gateway's own, and which servers are trusted.",
    no_args_is_help=True,
    rich_markup_mode=None,
)
Fingerprint = Annotated[
    str, typer.Argument(metavar="FINGERPRINT", help="SHA-256 of the certificate, or its first 8 digits.")
]


@app.command("servers")
def servers(
    file: GatewayFile,
    ask: Annotated[
        bool, typer.Option("--ask", help="First ask each server for its certificate, and keep it.")
    ] = False,
    as_json: AsJson = False,
) -> None:
    """List the certificates that OPC UA servers have shown, refused ones first, and the trusted authorities.

    Example: citynerve-edge opcua servers gateway.yaml --ask
    """
    with reported():
        from protocols.field.opcua.authorities import Authorities  # noqa: PLC0415 - asyncua weighs 90 MB
        from protocols.field.opcua.trust import TrustList  # noqa: PLC0415

        plan = open_plan(file)
        lines = _lines(plan)
        told = asyncio.run(_ask(lines)) if ask else []
        found = [entry for folder in _folders(lines) for entry in TrustList(folder).entries()]
        signing = [one for folder in _folders(lines) for one in Authorities(folder).shown()]
    for sentence in told:
        typer.echo(plain(sentence), err=True)
    if as_json:
        records: list[dict[str, Any]] = [
            {"verdict": one.verdict, "urls": one.urls, "changed": one.changed, **_record(one.certificate)}
            for one in found
        ]
        records += [{"verdict": "authority", **_record(one), "revoked": revoked} for one, revoked in signing]
        typer.echo(json.dumps({"certificates": records}, ensure_ascii=False, indent=2))
        return
    for one in found:
        where = ", ".join(one.urls) or "no longer shown by any server"
        note = "  CHANGED: another certificate was trusted there before" if one.changed else ""
        typer.echo(f"{one.verdict}  {plain(where)}{note}")
        typer.echo(_lines_of(one.certificate))
    for authority_shown, revoked in signing:
        typer.echo("authority  trusted with every server that it signs")
        typer.echo(_lines_of(authority_shown))
        typer.echo(f"  list     {revoked or 'no revocation list was given'}")
    if not found:
        typer.echo("no server has shown a certificate yet; try --ask", err=True)


@app.command("trust")
def trust(file: GatewayFile, fingerprint: Fingerprint) -> None:
    """Trust the server that showed this certificate. A running gateway then connects by itself.

    Compare the fingerprint with what the server's own screen or keeper says before.

    Example: citynerve-edge opcua trust gateway.yaml 3f9a61c2
    """
    _move(file, fingerprint, trusted=True)


@app.command("distrust")
def distrust(file: GatewayFile, fingerprint: Fingerprint) -> None:
    """Take the trust away again, from a server or an authority; the next connect is refused.

    Example: citynerve-edge opcua distrust gateway.yaml 3f9a61c2
    """
    _move(file, fingerprint, trusted=False)


@app.command("authority")
def authority(
    file: GatewayFile,
    given: Annotated[
        Path,
        typer.Argument(
            metavar="AUTHORITY", help="The authority's certificate or revocation list, PEM or DER."
        ),
    ],
) -> None:
    """Trust an authority with every server that it signs, or take its newest revocation list.

    Example: citynerve-edge opcua authority gateway.yaml works-ca.pem
    Example: citynerve-edge opcua authority gateway.yaml works-ca.crl
    """
    with reported():
        from protocols.field.opcua.authorities import Authorities  # noqa: PLC0415

        plan = open_plan(file)
        try:
            data = given.read_bytes()
        except OSError as error:
            raise Rejected("cannot-read", f"{given}: {error.strerror}; give another file") from error
        for folder in _folders(_lines(plan)):
            taken = Authorities(folder).take(data, now_us())
        Audit(plan.loaded.state_dir).note(
            f"local:{getpass.getuser()}", f"opcua-{taken.kind}", taken.fingerprint, plain(taken.subject)
        )
    what = "trusted authority" if taken.kind == "authority" else "revocation list of"
    typer.echo(f"{what}: {plain(taken.subject)}")
    typer.echo(f"  {plain(taken.detail)}")


@app.command("certificate")
def certificate(
    file: GatewayFile,
    out: Annotated[
        Path | None,
        typer.Option(help="Also write it here (DER), for the keeper of a server.", metavar="FILE"),
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Show the gateway's own certificate, made now where there is none yet: a server must trust it, too.

    Example: citynerve-edge opcua certificate gateway.yaml --out gateway.der
    """
    with reported():
        from protocols.field.opcua.certificates import der, show  # noqa: PLC0415
        from protocols.field.opcua.connecting import identities  # noqa: PLC0415

        own = asyncio.run(identities(next(iter(_lines(open_plan(file)).values()))))[0]
        shown = show(own.certificate)
        if out is not None:
            try:
                out.write_bytes(der(own.certificate))
            except OSError as error:
                raise Rejected("cannot-write", f"{out}: {error.strerror}; choose another place") from error
    if as_json:
        typer.echo(json.dumps(_record(shown), ensure_ascii=False, indent=2))
    else:
        typer.echo(f"ApplicationUri {own.uri}")
        typer.echo(_lines_of(shown))


def _move(file: Path, fingerprint: str, *, trusted: bool) -> None:
    with reported():
        from protocols.field.opcua.trust import TrustList  # noqa: PLC0415

        plan = open_plan(file)
        folders = _folders(_lines(plan))
        moved: Shown | None = None
        for folder in folders:
            try:
                known = TrustList(folder)
                moved = known.trust(fingerprint) if trusted else known.distrust(fingerprint)
            except Rejected:
                if folder == folders[-1] and moved is None:
                    raise
        if moved is None:
            raise AssertionError("a list without folders has been refused before")
        what = "opcua-trust" if trusted else "opcua-distrust"
        Audit(plan.loaded.state_dir).note(
            f"local:{getpass.getuser()}", what, moved.fingerprint, plain(moved.subject)
        )
    typer.echo(f"{'trusted' if trusted else 'no longer trusted'}: SHA-256 {moved.fingerprint}")
    typer.echo(f"  {plain(moved.subject)}")


async def _ask(lines: dict[str, OpcUaSettings]) -> list[str]:
    """Let each secured server show its certificate; return what went otherwise, in sentences."""
    from protocols.field.opcua.connecting import meet  # noqa: PLC0415

    told = []
    for key, settings in lines.items():
        if not settings.secured:
            told.append(f"{key}: security_policy is None, so no certificate is asked for")
            continue
        try:
            await meet(settings)
        except CityNerveError as error:
            told.append(f"{key}: {error}")
    return told


def _lines(plan: Plan) -> dict[str, OpcUaSettings]:
    """Return the settings of the OPC UA connections by key. Raises Rejected where there are none."""
    found: dict[str, Any] = {
        one.key: one.settings for one in plan.connections if one.driver.protocol == "opcua"
    }
    if not found:
        raise Rejected("no-opcua", f"{plan.loaded.file} has no connection with `protocol: opcua`; add one")
    return found


def _folders(lines: dict[str, OpcUaSettings]) -> list[Path]:
    return sorted({settings.pki_dir for settings in lines.values() if settings.pki_dir is not None})


def _record(shown: Shown) -> dict[str, Any]:
    return {
        "sha256": shown.fingerprint,
        "sha1": shown.thumbprint,
        "subject": shown.subject,
        "issuer": shown.issuer,
        "uris": shown.uris,
        "hosts": shown.hosts,
        "not_before": shown.not_before.isoformat(),
        "not_after": shown.not_after.isoformat(),
    }


def _lines_of(shown: Shown) -> str:
    issuer = "itself" if shown.issuer == shown.subject else plain(shown.issuer)
    names = ", ".join((*shown.uris, *shown.hosts)) or "none"
    return (
        f"  SHA-256  {shown.fingerprint}\n"
        f"  SHA-1    {shown.thumbprint}\n"
        f"  subject  {plain(shown.subject)}, issued by {issuer}\n"
        f"  names    {plain(names)}\n"
        f"  valid    {shown.not_before:%Y-%m-%d %H:%M} to {shown.not_after:%Y-%m-%d %H:%M} UTC"
    )
