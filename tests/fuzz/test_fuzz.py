"""A few thousand frames of the million, a second or two of processor; and the frames that once were wrong."""

from __future__ import annotations

import random

import numpy as np
import pytest
from asyncua.common.utils import Buffer
from asyncua.ua.ua_binary import variant_from_binary
from asyncua.ua.uaerrors import UaError

from protocols.field.mqtt.payload import plain
from protocols.field.opcua.answers import readable
from protocols.field.snmp.soundness import sound
from protocols.model.quality import Quality
from sim_devices.servers import snmp_ber as ber
from tests.fuzz.__main__ import main
from tests.fuzz.door import Wrong
from tests.fuzz.modbus import MbapDoor, RtuDoor
from tests.fuzz.mutation import mutate
from tests.fuzz.run import DOORS, MILLION, run

FRAMES = {"snmp": 60, "opcua": 700}


@pytest.mark.parametrize("name", sorted(DOORS))
def test_a_share_of_the_frames(name: str) -> None:
    ran = run(name, FRAMES.get(name, 1000), seed=7)
    assert not ran.failed, f"{ran.failed}\npython -m tests.fuzz {name} --seed 7 --only {ran.number}"
    assert ran.good * 10 > ran.frames, "hardly a frame gets through: the door is not where the frames come in"


def test_the_shares_are_a_million() -> None:
    assert MILLION >= 1_000_000


def test_the_oracle_sees_what_it_is_there_for() -> None:
    """An answer to another question, or of another unit, and a value that the registers do not hold."""
    for door in (MbapDoor(), RtuDoor()):
        true = bytes((3, 40)) + bytes(40)
        with pytest.raises(Wrong):
            door.judge(true, b"\0" * 60)
        with pytest.raises(Wrong):
            door.decoded(door.decoder.decode(np.zeros(40, np.uint8), 1), b"\x01" * 40)


def test_a_failure_is_kept_and_told(tmp_path: object, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["mbap", "--frames", "40", "--only", "39", "--save", str(tmp_path)]) == 0
    assert "0 doors failed" in capsys.readouterr().out


def test_the_same_seed_makes_the_same_frames() -> None:
    made = [mutate(random.Random(5), bytes(range(40))) for _ in range(2)]  # noqa: S311
    assert made[0] == made[1]


@pytest.mark.parametrize("text", ["3_7", "１２", "1__0", "0x10", "1e", "--1", "+"])
def test_a_text_that_only_python_takes_for_a_number_is_none(text: str) -> None:
    """`float` reads 3_7 as 37: one bit of damage, and a wrong value was good."""
    assert plain(text.encode(), "f64").quality == Quality.BAD_DECODING_ERROR


def test_an_array_of_nothing_does_not_hang_the_gateway() -> None:
    """One bit turned a Float into an array of 745 million Nulls, which asyncua counted to."""
    with pytest.raises(UaError, match="Nulls"):
        variant_from_binary(Buffer(bytes.fromhex("80f8fd642c")))
    assert variant_from_binary(Buffer(bytes.fromhex("8000000000"))).Value == []


def test_a_damaged_answer_is_an_error_of_the_server() -> None:
    with pytest.raises(UaError, match="cannot be read"), readable():
        variant_from_binary(Buffer(b"\x86\xfe\xff\xff\xff"))


def test_a_number_without_a_byte_is_no_zero() -> None:
    """pysnmp reads 02 00 as 0; a length that lost its bits made a good value of nothing."""
    oid = (1, 3, 6, 1, 1, 0)
    for content, whole in ((b"\5", True), (b"", False)):
        said = ber.Message(1, b"public", ber.RESPONSE, 7, 0, 0, ((oid, ber.Value(ber.INTEGER, content)),))
        assert sound(said.encode()) == whole
