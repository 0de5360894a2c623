"""Finds the device profiles that the simulator can serve: the shipped ones, or anyone's file."""

from __future__ import annotations

import difflib
from pathlib import Path

import yaml
from pydantic import ValidationError

import firmware_configs
from protocols.errors import Rejected
from protocols.model.device import Profile
from sim_devices.plain_yaml import load

SHIPPED = Path(firmware_configs.__path__[0]) / "profiles"


def shipped_profiles(folder: Path = SHIPPED) -> dict[str, Profile]:
    """Return the shipped profiles by id, in the order of their names."""
    profiles = [read_profile(path) for path in sorted(folder.glob("*.yaml"))]
    return {profile.id: profile for profile in profiles}


def find_profile(name: str) -> Profile:
    """Return a profile by its id or by the path of its file. Raises Rejected with the near names."""
    path = Path(name)
    if path.suffix in (".yaml", ".yml"):
        return read_profile(path)
    if (SHIPPED / f"{name}.yaml").is_file():
        return read_profile(SHIPPED / f"{name}.yaml")
    known = sorted(path.stem for path in SHIPPED.glob("*.yaml"))
    near = difflib.get_close_matches(name, known, n=3, cutoff=0.4)
    hint = f"did you mean {' or '.join(near)}?" if near else "a path must end in .yaml;"
    raise Rejected("profile", f"there is no profile {name!r}; {hint} `citynerve-sim list` names them all")


def read_profile(path: Path) -> Profile:
    """Return the profile of one file. Raises Rejected with the first mistake and its place."""
    try:
        profile = Profile.model_validate(load(path.read_text(encoding="utf-8")))
    except OSError as error:
        raise Rejected("profile", f"{path}: {error.strerror}; check the path") from error
    except yaml.YAMLError as error:
        raise Rejected("profile", f"{path} is no YAML: {error}") from error
    except ValidationError as error:
        first = error.errors()[0]
        place = ".".join(str(step) for step in first["loc"]) or "profile"
        more = f" (and {error.error_count() - 1} more)" if error.error_count() > 1 else ""
        raise Rejected("profile", f"{path}: {place}: {first['msg']}{more}") from error
    for section, number, problem, repair in profile.unproved():
        raise Rejected("profile", f"{path}: {section}.{number}: {problem}; {repair}")
    return profile
