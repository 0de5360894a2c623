"""Run a program that dies with its starter, in a session of its own, as another user where asked.

    python leash.py [--user NAME] [--signal NAME] -- PROGRAM ARG …

Used for PostgreSQL under the centre and for the parts of the demo: Ctrl-C at a terminal reaches the
starter only, which then stops its children in order; and should the starter be killed with -9, the
kernel signals the child, so that no orphan keeps a port, a socket or a data folder. Linux keeps the
promise by prctl(PR_SET_PDEATHSIG); elsewhere the program runs without it. Standard library only, and
run by its path: nothing else is imported before the program replaces it.
"""

from __future__ import annotations

import ctypes
import os
import pwd
import signal
import sys
from collections.abc import Sequence
from pathlib import Path

PR_SET_PDEATHSIG = 1


def leashed(program: Sequence[str], *, user: str | None = None, signal_name: str = "SIGTERM") -> list[str]:
    """Return the command line that runs `program` on a leash of this process."""
    options = ["--user", user] if user else []
    return [
        sys.executable, "-I", "-S", str(Path(__file__).resolve()),
        "--parent", str(os.getpid()), "--signal", signal_name, *options, "--", *program,
    ]  # fmt: skip


def main(arguments: list[str]) -> None:
    """Become the program."""
    split = arguments.index("--")
    options = dict(zip(arguments[:split:2], arguments[1:split:2], strict=True))
    program = arguments[split + 1 :]
    os.setsid()
    if "--user" in options:
        account = pwd.getpwnam(options["--user"])
        os.initgroups(account.pw_name, account.pw_gid)
        os.setgid(account.pw_gid)
        os.setuid(account.pw_uid)
    if sys.platform == "linux":
        number = getattr(signal, options["--signal"])
        # After setuid, which would clear it; a starter that died in between is seen by its child's parent.
        if ctypes.CDLL(None, use_errno=True).prctl(PR_SET_PDEATHSIG, int(number), 0, 0, 0):
            raise OSError(ctypes.get_errno(), "prctl(PR_SET_PDEATHSIG) failed")
        if os.getppid() != int(options["--parent"]):
            sys.exit(1)
    os.execv(program[0], program)  # noqa: S606 - the program is given whole, no shell


if __name__ == "__main__":
    main(sys.argv[1:])
