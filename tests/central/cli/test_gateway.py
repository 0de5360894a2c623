"""`citynerve gateway` against a running centre: what is ordered arrives, what is refused is a sentence."""

from __future__ import annotations

import asyncio
import hashlib
import zipfile
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from typer.testing import CliRunner, Result

from central.cli import app
from central.link.order_rows import order_of
from protocols.model.command import CommandOutcome, CommandState
from protocols.model.order import ConfigPush, Rotate, Update
from tests.central.systems.field import FieldGateway
from tests.central.systems.running import Running, running_centre


class Shell:
    """Runs the command line in a thread, on the database of the centre under test."""

    def __init__(self, city: Running, gateway: FieldGateway, url: str, folder: Path) -> None:
        self.city = city
        self.gateway = gateway
        self._env = {"CITYNERVE_DATABASE_URL": url, "CITYNERVE_DATA": str(folder)}

    async def run(self, *words: str) -> Result:
        """Run `citynerve gateway …`."""
        return await asyncio.to_thread(CliRunner().invoke, app, ["gateway", *words], env=self._env)

    async def answer(self, state: CommandState, reason: str = "", detail: str = "") -> None:
        """Answer the next order, as soon as it is in the inbox."""
        while not (items := await self.gateway.inbox()):  # noqa: ASYNC110 - the order is left by another thread
            await asyncio.sleep(0.05)
        await self.gateway.outcome(
            CommandOutcome(
                command=items[0].order.id,
                state=state,
                reason=reason,
                detail=detail,
                finished_us=self.city.clock(),
            )
        )


@pytest.fixture
async def shell(database_url: str, tmp_path: Path) -> AsyncIterator[Shell]:
    """A shell beside a running centre with one gateway."""
    async with running_centre(database_url, tmp_path) as city, city.gateway() as gateway:
        yield Shell(city, gateway, database_url, tmp_path)


async def test_a_push_is_told_with_its_result(shell: Shell, tmp_path: Path) -> None:
    file, profile = tmp_path / "north.yaml", tmp_path / "own.pump.yaml"
    file.write_text("gateway: {id: gw-north}  # 北\n", encoding="utf-8")
    profile.write_text("id: own.pump\n", encoding="utf-8")
    words = ["push", "gw-north", str(file), "--profile", str(profile), "--note", "泵", "--probation", "30"]

    sent = await shell.run(*words)
    assert sent.exit_code == 0, sent.output
    (item,) = await shell.gateway.inbox()
    push = item.order
    assert isinstance(push, ConfigPush)
    assert (push.text, push.profiles) == (file.read_text(encoding="utf-8"), {"own.pump": "id: own.pump\n"})
    assert (push.note, push.probation_s) == ("泵", 30)
    assert push.issued_by.startswith("cli:")
    await shell.answer(CommandState.VERIFIED)

    waited, _ = await asyncio.gather(
        shell.run(*words, "--wait"), shell.answer(CommandState.MISMATCH, "rolled-back", "the uplink died")
    )
    assert waited.exit_code == 1
    assert "rolled-back: the uplink died" in waited.output
    listed = (await shell.run("orders", "gw-north")).output.splitlines()
    assert ["mismatch" in listed[0], "verified" in listed[1]] == [True, True]


async def test_a_rotation_is_waited_for(shell: Shell) -> None:
    waited, _ = await asyncio.gather(
        shell.run("rotate", "gw-north", "--wait"), shell.answer(CommandState.VERIFIED)
    )
    assert (waited.exit_code, waited.output.splitlines()[-1]) == (0, "verified")
    await shell.run("rotate", "gw-north")
    assert isinstance((await shell.gateway.inbox())[0].order, Rotate)


async def test_a_revoked_gateway_is_outside_until_it_has_a_new_code(shell: Shell) -> None:
    asked = await shell.run("revoke", "gw-north")
    assert asked.exit_code != 0
    done = await shell.run("revoke", "gw-north", "--yes")
    assert "enrol-code gw-north" in done.output
    assert "revoked" in (await shell.run("list")).output
    refused = await shell.run("rotate", "gw-north")
    assert refused.exit_code != 0
    assert "revoked" in str(refused.exception)


@pytest.mark.parametrize("words", [("rotate",), ("revoke", "--yes")])
async def test_an_unknown_gateway_is_named(shell: Shell, words: tuple[str, ...]) -> None:
    refused = await shell.run(words[0], "gw-nowhere", *words[1:])
    assert "gw-nowhere" in str(refused.exception)


def _wheel(folder: Path, version: str, name: str = "citynerve") -> Path:
    """A wheel, as far as staging looks into it."""
    path = folder / f"{name}-{version}-py3-none-any.whl"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr(f"{name}-{version}.dist-info/METADATA", f"Name: {name}\nVersion: {version}\n")
    return path


async def test_a_signed_version_is_staged_and_ordered(shell: Shell, tmp_path: Path) -> None:
    key, wheel = tmp_path / "software.pem", _wheel(tmp_path, "9.9.9")
    made = await shell.run("make-key", str(key))
    public = made.stdout.split("public_key: ")[1].rstrip("}\n")
    assert key.stat().st_mode & 0o777 == 0o600
    assert (await shell.run("make-key", str(key))).exit_code != 0

    for _ in range(2):  # the same wheel again changes nothing
        staged = await shell.run("stage", str(wheel), "--key", str(key))
        assert staged.exit_code == 0, staged.output
    assert (await shell.run("packages")).output.count("9.9.9-py3") == 1
    waited, _ = await asyncio.gather(
        shell.run("update", "gw-north", "9.9.9", "--wait"), shell.answer(CommandState.VERIFIED)
    )
    assert waited.exit_code == 0, waited.output
    sent = (await shell.city.centre.outbox.orders.list("gw-north", kind="update")).items[0]
    row = await shell.city.centre.outbox.orders.get(sent.id)
    assert row is not None
    order = order_of(row)
    assert isinstance(order, Update)
    digest = hashlib.sha256(wheel.read_bytes()).digest()
    assert order.sha256 == digest.hex()
    Ed25519PublicKey.from_public_bytes(bytes.fromhex(public)).verify(
        bytes.fromhex(order.signature), digest + b"9.9.9"
    )


async def test_what_cannot_be_staged_is_a_sentence(shell: Shell, tmp_path: Path) -> None:
    key = tmp_path / "software.pem"
    await shell.run("make-key", str(key))
    text = tmp_path / "text.whl"
    text.write_text("no zip", encoding="ascii")
    for wheel, signer, words in (
        (text, key, "no wheel of citynerve"),
        (_wheel(tmp_path, "1.0", "other"), key, "no wheel of citynerve"),
        (_wheel(tmp_path, "1.0"), text, "no private key"),
    ):
        refused = await shell.run("stage", str(wheel), "--key", str(signer))
        assert refused.exit_code != 0
        assert words in str(refused.exception)
    missing = await shell.run("update", "gw-north", "1.0")
    assert "not staged" in str(missing.exception)
