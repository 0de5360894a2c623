"""What `make` says on a machine whose Python will not do: the repair. Nothing is left half made."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest

SETUP = Path(__file__).parents[2] / "requirements" / "setup"
TOOLS = ("sh", "dirname", "grep", "id", "rm", "printf")
NO_PYTHON = "exit 127"
OLD = 'case "$2" in *sys.exit*) exit 1;; *print*) echo 3.9;; *) exit 0;; esac'
WITHOUT_VENV = 'case "$2" in *print*) echo 3.13;; *ensurepip*) exit 1;; *) exit 0;; esac'


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    """The set-up script with a PATH of its own: no apt, and only the Pythons that a test puts there."""
    (tmp_path / "requirements").mkdir()
    shutil.copy(SETUP, tmp_path / "requirements" / "setup")
    (tmp_path / "bin").mkdir()
    for tool in TOOLS:
        found = shutil.which(tool)
        assert found
        (tmp_path / "bin" / tool).symlink_to(found)
    for name in ("python3", "python3.11", "python3.12", "python3.13", "python3.14"):
        write_python(tmp_path / "bin" / name, NO_PYTHON)
    return tmp_path


def write_python(path: Path, behaviour: str) -> None:
    path.write_text(f"#!/bin/sh\n{behaviour}\n")
    path.chmod(0o755)


def complaint(checkout: Path, **environment: str) -> str:
    done = subprocess.run(
        [checkout / "requirements" / "setup"],
        env={"PATH": str(checkout / "bin"), **environment},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 1
    assert not (checkout / ".venv").exists()
    return done.stderr


def named(checkout: Path, behaviour: str) -> str:
    """A Python outside the PATH, to be named by PYTHON=… so that the system's own is not found."""
    path = checkout / "named-python"
    write_python(path, behaviour)
    return str(path)


def test_an_old_python_is_named_with_its_version(checkout: Path) -> None:
    said = complaint(checkout, PYTHON=named(checkout, OLD))
    assert "needs Python 3.11 or newer" in said
    assert "named-python is 3.9" in said
    assert "make PYTHON=" in said


def test_a_named_python_that_does_not_run_is_named(checkout: Path) -> None:
    assert "PYTHON=/nowhere/python does not run" in complaint(checkout, PYTHON="/nowhere/python")


def test_a_missing_venv_module_names_the_package(checkout: Path) -> None:
    said = complaint(checkout, PYTHON=named(checkout, WITHOUT_VENV))
    assert "lacks the venv module" in said
    assert "apt-get install python3.13-venv" in said


def test_a_broken_shim_is_passed_over(checkout: Path) -> None:
    write_python(checkout / "bin" / "python3.12", OLD.replace("3.9", "3.10"))
    said = complaint(checkout, PYTHON="python3.14 python3.12")
    assert "python3.12 is 3.10" in said
    assert "python3.14" not in said.replace("python3.14 …", "")
