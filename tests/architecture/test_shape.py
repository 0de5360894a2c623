"""The shape of the tree: import contracts hold, nothing escapes them, files stay one idea long."""

from __future__ import annotations

import subprocess
import sys
import tomllib
from pathlib import Path

ROOT = Path(__file__).parents[2]
LONGEST = 500
"""Lines. From 400 on look for the second noun inside the file; past this the tree is refused."""
GENERATED = {"package-lock.json", "schema.ts", "schema.d.ts"}
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())


def tracked(*suffixes: str) -> list[Path]:
    """Files that git would keep, tracked or new, with one of the suffixes."""
    listing = subprocess.run(
        ["git", "-C", ROOT, "ls-files", "--cached", "--others", "--exclude-standard"],
        capture_output=True,
        text=True,
        check=True,
    )
    files = (ROOT / line for line in listing.stdout.splitlines() if line.endswith(suffixes))
    return [file for file in files if file.is_file()]


def test_import_contracts_hold() -> None:
    program = Path(sys.executable).parent / "lint-imports"
    done = subprocess.run(
        [program, "--no-logo", "--no-cache"], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr


def test_every_package_is_under_the_contracts_and_in_the_wheel() -> None:
    packages = {file.parent.name for file in ROOT.glob("*/__init__.py")} - {"tests"}
    assert packages == set(PROJECT["tool"]["importlinter"]["root_packages"])
    assert packages == set(PROJECT["tool"]["hatch"]["build"]["targets"]["wheel"]["packages"])
    houses = PROJECT["tool"]["importlinter"]["contracts"][0]["layers"]
    assert packages == {name.strip() for layer in houses for name in layer.split("|")}


def test_every_folder_with_python_is_a_package() -> None:
    folders = {file.parent for file in tracked(".py")} - {ROOT}
    missing = sorted(str(folder) for folder in folders if not (folder / "__init__.py").is_file())
    assert not missing, f"add an __init__.py to: {', '.join(missing)}"


def test_no_file_is_longer_than_one_idea() -> None:
    code = [file for file in tracked(".py", ".ts", ".vue", ".css") if file.name not in GENERATED]
    long = {str(file.relative_to(ROOT)): len(file.read_text().splitlines()) for file in code}
    assert not {name: lines for name, lines in long.items() if lines > LONGEST}


def test_no_lock_names_a_host() -> None:
    for lock in [*tracked(".lock"), *tracked("package-lock.json")]:
        lines = lock.read_text().splitlines()
        assert not [line for line in lines if "://" in line and ("resolved" in line or "index" in line)]
