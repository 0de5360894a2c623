"""`python -m tests.fuzz [DOOR …] [--frames N] [--seed N] [--only N]`: see the package."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from tests.fuzz.run import DOORS, LIFE, MILLION, Ran, run


def main(arguments: list[str]) -> int:
    """Run the doors that were named, or all with their shares of a million; 1 where a frame failed."""
    parser = argparse.ArgumentParser(prog="python -m tests.fuzz", description=__doc__)
    parser.add_argument("doors", nargs="*", choices=[*DOORS, []], help=f"none: all ({', '.join(DOORS)})")
    parser.add_argument("--frames", type=int, default=MILLION, help="of all doors together, SNMP beside them")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--only", type=int, help="one frame, with the life before it", metavar="N")
    parser.add_argument("--save", type=Path, default=Path(".fuzz"), help="folder for a frame that failed")
    asked = parser.parse_args(arguments)
    names = asked.doors or list(DOORS)
    whole = sum(DOORS[name].share for name in names) if asked.doors else MILLION
    failures, total = 0, 0
    for name in names:
        first, frames = 0, max(1, round(asked.frames * DOORS[name].share / whole))
        if asked.only is not None:
            first = asked.only - asked.only % LIFE
            frames = asked.only - first + 1
        ran = run(name, frames, asked.seed, first, lambda done, name=name: _progress(name, done))  # type: ignore[misc]
        total += ran.frames
        _tell(ran)
        if ran.failed:
            failures += 1
            _keep(ran, asked.seed, asked.save)
    sys.stdout.write(f"{total} frames with seed {asked.seed}, {failures} doors failed\n")
    return 1 if failures else 0


def _progress(name: str, done: int) -> None:
    if sys.stderr.isatty() or done % 50_000 == 0:
        sys.stderr.write(f"\r{name}: {done} frames")
        sys.stderr.flush()


def _tell(ran: Ran) -> None:
    rate = ran.frames / max(ran.seconds, 1e-9)
    sys.stdout.write(
        f"\r{ran.door:15} {ran.frames:8} frames, {ran.good:7} with a good value, {ran.seconds:6.1f} CPU-s "
        f"({rate:,.0f}/s)\n"
    )
    sys.stdout.flush()


def _keep(ran: Ran, seed: int, folder: Path) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    kept = folder / f"{ran.door}-{seed}-{ran.number}.bin"
    kept.write_bytes(ran.frame)
    sys.stdout.write(
        f"{ran.failed}\nframe {ran.number} ({kept}): {ran.frame.hex(' ')}\n"
        f"again: python -m tests.fuzz {ran.door} --seed {seed} --only {ran.number}\n"
    )


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
