"""What is taken for a package: signed by the right key, a wheel of this product, and nothing beside it."""

from __future__ import annotations

import io
import zipfile
from pathlib import Path

import msgspec
import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from edge.updates.package import check_signature, unpack
from protocols.errors import Rejected
from tests.edge.updates.wheels import PUBLIC, order, wheel


def zipped(**files: str) -> bytes:
    """A zip of these files."""
    content = io.BytesIO()
    with zipfile.ZipFile(content, "w") as archive:
        for name, text in files.items():
            archive.writestr(name, text)
    return content.getvalue()


def test_the_right_key_signs_digest_and_version_together() -> None:
    good = order("o", "9.9.9", b"wheel")
    check_signature(good, PUBLIC)
    for wrong in (
        msgspec.structs.replace(good, version="9.9.8"),
        msgspec.structs.replace(good, sha256="0" * 64),
        msgspec.structs.replace(good, signature="00"),
        msgspec.structs.replace(good, signature="no hex"),
        order("o", "9.9.9", b"wheel", Ed25519PrivateKey.generate()),
    ):
        with pytest.raises(Rejected) as refused:
            check_signature(wrong, PUBLIC)
        assert refused.value.reason == "bad-signature"


@pytest.mark.parametrize("version", ["../../etc", "", "a b", "1/2", ".."])
def test_a_version_is_a_version(version: str) -> None:
    with pytest.raises(Rejected) as refused:
        check_signature(order("o", version, b"x"), PUBLIC)
    assert refused.value.reason == "bad-version"


def test_a_wheel_becomes_a_folder(tmp_path: Path) -> None:
    file, place = tmp_path / "w.whl", tmp_path / "versions" / "9.9.9"
    file.write_bytes(wheel("9.9.9"))
    place.mkdir(parents=True)
    (place / "left.over").touch()
    unpack(file, "9.9.9", place)
    assert (place / "edge" / "app.py").is_file()
    assert not (place / "left.over").exists()


@pytest.mark.parametrize(
    "content",
    [
        b"no zip",
        zipped(**{"a.py": "1"}),
        wheel("9.9.9", Name="other"),
        wheel("9.9.9", Version="1.0"),
        zipped(
            **{
                "../outside.py": "1",
                "citynerve-9.9.9.dist-info/METADATA": "Name: citynerve\nVersion: 9.9.9\n",
            }
        ),
        zipped(**{"/abs.py": "1", "citynerve-9.9.9.dist-info/METADATA": "Name: citynerve\nVersion: 9.9.9\n"}),
    ],
)
def test_what_is_no_wheel_of_ours_leaves_nothing(tmp_path: Path, content: bytes) -> None:
    file, place = tmp_path / "w.whl", tmp_path / "versions" / "9.9.9"
    file.write_bytes(content)
    with pytest.raises(Rejected) as refused:
        unpack(file, "9.9.9", place)
    assert refused.value.reason == "bad-package"
    assert not place.exists()
    assert not (tmp_path / "outside.py").exists()
