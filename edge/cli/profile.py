"""`citynerve-edge profile …`: device profiles from a template or a spreadsheet, and their proof."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated, Any, Final

import typer

from edge.cli.findings import Profiles
from edge.cli.terminal import FAILED, AsJson, reported
from edge.cli.words import plain, table
from edge.config.load import read_profile
from edge.tools import pointlist
from edge.tools.profile_files import render
from edge.tools.profile_template import PROTOCOLS, template
from edge.tools.profiles import known_profiles
from edge.tools.proving import prove, unproved
from protocols.errors import ConfigError, Rejected
from protocols.model.device import Profile

app = typer.Typer(
    help="Device profiles: list, begin, check and prove them, and edit their points in a spreadsheet.",
    no_args_is_help=True,
    rich_markup_mode=None,
)
Which = Annotated[
    str, typer.Argument(metavar="PROFILE", help="Id of a profile, or the path of its file (.yaml).")
]
Force = Annotated[bool, typer.Option("--force", help="Write over a file that is there.")]
_ENCODINGS: Final = {"utf-8": "utf-8-sig", "gb18030": "gb18030"}


@app.command("list")
def listing(profiles: Profiles = None, as_json: AsJson = False) -> None:
    """List the profiles that can be named in a gateway file.

    Example: citynerve-edge profile list --profiles ./profiles
    """
    with reported():
        found = known_profiles(profiles).values()
    if as_json:
        typer.echo(json.dumps([_record(profile) for profile in found], ensure_ascii=False))
        return
    rows = [("PROFILE", "PROTOCOL", "POINTS", "PROVED", "NAME")]
    for profile in found:
        proved = len(profile.points) - len(unproved(profile))
        rows.append(
            (
                profile.id,
                profile.protocol,
                str(len(profile.points)),
                str(proved),
                f"{profile.name.zh} {profile.name.en}",
            )
        )
    for line in table(rows):
        typer.echo(line)


@app.command("template")
def begin(
    out: Annotated[Path, typer.Argument(metavar="FILE", help="Where it is written: ID.yaml.")],
    protocol: Annotated[str, typer.Option(help=f"One of {', '.join(PROTOCOLS)}.")] = "modbus",
    force: Force = False,
) -> None:
    """Write a small profile to begin with, with a comment at each line.

    Example: citynerve-edge profile template my.meter.yaml
    """
    with reported():
        _write(out, template(out.stem, protocol).encode(), force)
        profile, document = read_profile(out)
        if profile is None or document.mistakes:
            out.unlink()
            raise ConfigError(document.mistakes)
    typer.echo(f"{out} is written; next: citynerve-edge profile check {out}")


@app.command("check")
def check(
    files: Annotated[list[Path], typer.Argument(metavar="FILE...", help="Profile files (.yaml).")],
    as_json: AsJson = False,
) -> None:
    """Check profile files: every mistake with its line, and whether each golden vector comes true.

    Example: citynerve-edge profile check my.meter.yaml
    """
    record: list[dict[str, Any]] = []
    failed = False
    with reported():
        read = [read_profile(path) for path in files]
        mistakes = [mistake for _, document in read for mistake in document.mistakes]
        if mistakes:
            raise ConfigError(mistakes)
        for profile in (profile for profile, _ in read if profile is not None):
            proofs = prove(profile)
            wrong = [proof for proof in proofs if not proof.true]
            bare = unproved(profile) if profile.protocol != "camera" else []
            failed |= bool(wrong)
            told = {
                "profile": profile.id, "points": len(profile.points), "vectors": len(proofs),
                "unproved": bare,
                "wrong": [
                    {"point": p.vector.point, "raw": p.vector.raw, "expected": p.vector.value,
                     "expected_quality": p.vector.quality, "came": p.value, "quality": p.quality}
                    for p in wrong
                ],
            }  # fmt: skip
            record.append(told)
            if not as_json:
                _tell(told)
    if as_json:
        typer.echo(json.dumps(record, ensure_ascii=False))
    if failed:
        raise typer.Exit(FAILED)


@app.command("export")
def export(
    profile: Which,
    out: Annotated[Path, typer.Argument(metavar="FILE", help="The CSV file.")],
    profiles: Profiles = None,
    encoding: Annotated[
        str, typer.Option(help="utf-8 (with its mark, as Excel wants it) or gb18030.")
    ] = "utf-8",
    force: Force = False,
) -> None:
    """Write a profile as CSV, a point in each line, for a spreadsheet. `import` gives the same profile back.

    Example: citynerve-edge profile export eastron.sdm630 points.csv
    """
    with reported():
        found = _find(profile, profiles)
        if encoding not in _ENCODINGS:
            raise Rejected("encoding", f"encoding {encoding!r} is none of {', '.join(_ENCODINGS)}")
        _write(out, pointlist.write(found).encode(_ENCODINGS[encoding]), force)
    typer.echo(f"{out} is written: {len(found.points)} points of {found.id}")


@app.command("import")
def bring(
    table_file: Annotated[
        Path, typer.Argument(metavar="FILE", help="The CSV file: an export, or a list of your own.")
    ],
    out: Annotated[
        Path, typer.Argument(metavar="PROFILE.yaml", help="The profile file; its name is the id.")
    ],
    protocol: Annotated[
        str, typer.Option(help="Where the table does not say it: modbus, opcua, mqtt, sparkplug.")
    ] = "",
    force: Force = False,
) -> None:
    """Make a profile of a point list in CSV. Every mistake is listed with its line, its column, its repair.

    Separated by commas, semicolons or tabs; UTF-8, UTF-16 or GB18030; columns as an export has them, without
    the protocol before the dot, or in Chinese (名称 类型 单位 系数 功能码 地址).

    \b
    Example: citynerve-edge profile import points.csv my.meter.yaml
    """
    with reported():
        said = {"id": out.stem, **({"protocol": protocol} if protocol else {})}
        found = pointlist.read(table_file, **said)
        _write(out, render(found).encode(), force)
    typer.echo(f"{out} is written: {len(found.points)} points; next: citynerve-edge profile check {out}")


def _find(name: str, own: Path | None) -> Profile:
    path = Path(name)
    if path.suffix in (".yaml", ".yml"):
        profile, document = read_profile(path)
        if profile is None or document.mistakes:
            raise ConfigError(document.mistakes)
        return profile
    known = known_profiles(own)
    if name not in known:
        raise Rejected("profile", f"there is no profile {name!r}; citynerve-edge profile list names them all")
    return known[name]


def _write(path: Path, data: bytes, force: bool) -> None:
    try:
        with path.open("wb" if force else "xb") as file:
            file.write(data)
    except FileExistsError:
        raise Rejected("exists", f"{path} is there already; --force writes over it") from None
    except OSError as error:
        raise Rejected("file", f"{path} cannot be written: {error.strerror}") from error


def _record(profile: Profile) -> dict[str, Any]:
    return {
        "id": profile.id, "protocol": profile.protocol, "kind": profile.kind, "vendor": profile.vendor,
        "model": profile.model, "name": {"zh": profile.name.zh, "en": profile.name.en},
        "points": len(profile.points), "vectors": len(profile.golden), "unproved": unproved(profile),
    }  # fmt: skip


def _tell(told: dict[str, Any]) -> None:
    wrong = told["wrong"]
    typer.echo(
        f"{told['profile']}: {told['points']} points, no mistakes; "
        f"{told['vectors'] - len(wrong)} of {told['vectors']} golden vectors come true"
    )
    for one in wrong:
        expected = (
            one["expected_quality"]
            if one["expected"] is None
            else f"{one['expected']} {one['expected_quality']}"
        )
        came = one["quality"] if one["came"] is None else f"{one['came']} {one['quality']}"
        typer.echo(plain(f"  {one['point']}: raw {one['raw']} becomes {came}, expected {expected}"))
    if told["unproved"]:
        typer.echo(f"  without a vector: {', '.join(told['unproved'])}")
