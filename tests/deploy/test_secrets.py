"""The database's password comes from a file, and a wrong one is never printed."""

from __future__ import annotations

from pathlib import Path

import pytest

from central.config import Config
from protocols.errors import ConfigError

URL = "postgresql://citynerve:s3cret@db1,db2:5432/citynerve?target_session_attrs=read-write"


def test_the_url_is_read_from_the_named_file(tmp_path: Path) -> None:
    secret = tmp_path / "database_url"
    secret.write_text(URL + "\n")
    assert Config.from_env({"CITYNERVE_DATABASE_URL_FILE": str(secret)}).database_url == URL


def test_a_missing_file_is_named_with_the_repair(tmp_path: Path) -> None:
    absent = tmp_path / "absent"
    with pytest.raises(ConfigError) as caught:
        Config.from_env({"CITYNERVE_DATABASE_URL_FILE": str(absent)})
    assert str(absent) in str(caught.value)
    assert "may read" in str(caught.value)


@pytest.mark.parametrize("in_file", [True, False])
def test_a_wrong_url_is_reported_without_its_password(tmp_path: Path, in_file: bool) -> None:
    secret = tmp_path / "database_url"
    secret.write_text("mysql://citynerve:s3cret@db/citynerve")
    environment = (
        {"CITYNERVE_DATABASE_URL_FILE": str(secret)}
        if in_file
        else {"CITYNERVE_DATABASE_URL": secret.read_text()}
    )
    with pytest.raises(ConfigError) as caught:
        Config.from_env(environment)
    assert "postgresql://" in str(caught.value)
    assert "s3cret" not in str(caught.value)
