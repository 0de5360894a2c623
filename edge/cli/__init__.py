"""`citynerve-edge`: one file per command group.

Exit codes, for scripts: 0 done · 1 it was tried and failed (the reason is on standard error) ·
2 the command line or a file is wrong (every mistake is listed).
"""

from __future__ import annotations

import os

import typer
from typer.completion import completion_init  # type: ignore[attr-defined]

from edge.cli import (
    alarms,
    audit,
    bundle,
    check,
    completion,
    config,
    decode,
    enrol,
    health,
    initial,
    launch,
    manual,
    page,
    point,
    queue,
    run,
    scan,
    schema,
    simulate,
)

app = typer.Typer(
    name="citynerve-edge",
    help=(
        "The CityNerve gateway: polls devices, judges alarms, keeps every reading, forwards it.\n\n"
        "Exit codes: 0 done, 1 tried and failed, 2 the command line or a file is wrong.\n\n"
        "Example: citynerve-edge check gateway.yaml && citynerve-edge run gateway.yaml"
    ),
    no_args_is_help=True,
    add_completion=False,
    # rich costs a gateway megabytes at run time, and logs nothing that plain text cannot say.
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
)
app.command("init")(initial.init)
app.command("check")(check.check)
app.command("run")(run.run)
app.command("launch")(launch.launch)
app.command("health")(health.health)
app.command("queue")(queue.queue)
app.command("decode")(decode.decode)
app.command("simulate")(simulate.simulate)
app.command("bundle")(bundle.bundle)
app.command("completion")(completion.completion)
app.command("enrol")(enrol.enrol)
app.command("schema")(schema.schema)
app.add_typer(point.app, name="point")
app.add_typer(scan.app, name="scan")
app.add_typer(alarms.app, name="alarms")
app.add_typer(manual.app, name="manual")
app.add_typer(audit.app, name="audit")
app.add_typer(page.app, name="page")
app.add_typer(config.app, name="config")


def main() -> None:
    """Run the command line."""
    if completion.VARIABLE in os.environ:
        # A shell asks for words to complete (`completion`): typer's answers are known only after this.
        completion_init()
    try:
        app()
    except KeyboardInterrupt:
        # Pressed while the words were still being read; later it is the command's own end.
        raise SystemExit(130) from None
