"""The Dockerfiles: pinned, small, unprivileged, built from the locks. With no engine here, they are read."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
FOLDER = ROOT / "deploy" / "docker"
IMAGES = ("central", "edge", "sim")


def instructions(image: str) -> list[tuple[str, str]]:
    """Instruction and argument of every line, continuations joined, comments left out."""
    text = re.sub(r"^#.*\n", "", (FOLDER / f"Dockerfile.{image}").read_text(), flags=re.MULTILINE)
    lines = text.replace("\\\n", " ").splitlines()
    return [(word, rest.strip()) for word, _, rest in (line.partition(" ") for line in lines if line.strip())]


@pytest.mark.parametrize("image", IMAGES)
class TestImage:
    def test_base_is_pinned_and_slim(self, image: str) -> None:
        arguments = dict(rest.split("=") for word, rest in instructions(image) if word == "ARG")
        for word, rest in instructions(image):
            if word == "FROM":
                name = rest.split(" AS ")[0].replace("${PYTHON}", arguments["PYTHON"])
                assert re.fullmatch(r"python:3\.\d+-slim-[a-z]+", name)

    def test_runs_as_nobody_in_particular(self, image: str) -> None:
        last_stage = instructions(image)
        last_stage = last_stage[max(i for i, (word, _) in enumerate(last_stage) if word == "FROM") :]
        users = [rest for word, rest in last_stage if word == "USER"]
        assert users
        assert all(re.fullmatch(r"1\d{4}:1\d{4}", user) for user in users)
        words = [word for word, _ in last_stage]
        assert words.index("USER") < words.index("ENTRYPOINT")

    def test_installs_by_hash_from_the_lock(self, image: str) -> None:
        installs = [rest for word, rest in instructions(image) if word == "RUN" and "pip install" in rest]
        assert f"--require-hashes -r requirements/{image}.lock" in installs[0]
        assert all("--no-deps" in rest for rest in installs[1:])
        assert (ROOT / "requirements" / f"{image}.lock").is_file()

    def test_starts_its_program_without_a_shell(self, image: str) -> None:
        program = {"central": "citynerve", "edge": "citynerve-edge", "sim": "citynerve-sim"}[image]
        assert ("ENTRYPOINT", f'["{program}"]') in instructions(image)
        assert all(rest.startswith("[") for word, rest in instructions(image) if word == "CMD")

    def test_holds_no_secret(self, image: str) -> None:
        text = (FOLDER / f"Dockerfile.{image}").read_text().lower()
        assert not re.search(r"password|secret|token|_url=", text)


@pytest.mark.parametrize("image", ["central", "edge"])
def test_services_tell_their_health(image: str) -> None:
    assert "HEALTHCHECK" in [word for word, _ in instructions(image)]


def test_the_build_context_holds_only_what_is_needed() -> None:
    lines = (ROOT / ".dockerignore").read_text().splitlines()
    rules = [line for line in lines if line and not line.startswith("#")]
    assert rules[0] == "*"
    for rule in rules:
        if rule.startswith("!"):
            assert list(ROOT.glob(rule[1:])), f"{rule} matches nothing"
