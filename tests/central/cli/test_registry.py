"""`citynerve registry`: a file out, tried, applied; mistakes are told by place and change nothing."""

from __future__ import annotations

from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from central.cli import app
from central.store.base import Database
from tests.central.city.test_book import declare
from tests.central.systems.field import SITE, manifest


@pytest.fixture
async def url(database: Database) -> str:
    """A database with a declared city."""
    await declare(database, manifest())
    return database.url


def test_a_file_goes_out_is_edited_and_comes_back(url: str, tmp_path: Path) -> None:
    def run(*words: str) -> Result:
        env = {"CITYNERVE_DATABASE_URL": url, "CITYNERVE_DATA": str(tmp_path)}
        return CliRunner().invoke(app, ["registry", *words], env=env)

    file = tmp_path / "sites.geojson"
    assert run("export", "sites", str(file)).exit_code == 0
    assert "0 added, 0 changed, 2 unchanged" in run("import", "sites", str(file)).output
    file.write_text(file.read_text("utf-8").replace("滨江泵站", "滨江排涝站"), "utf-8")
    tried = run("import", "sites", str(file))
    assert f"{SITE} changed  name_zh: '滨江泵站' -> '滨江排涝站'" in tried.output
    applied = run("import", "sites", str(file), "--apply")
    assert "applied 1 of 0 added, 1 changed, 1 unchanged" in applied.output
    table = tmp_path / "sites.csv"
    exported = run("export", "sites")
    assert "滨江排涝站" in exported.output
    assert run("export", "sites", "--fields", "district").output.splitlines()[0] == "\ufeffid,district"
    table.write_text(f"id,lon\n{SITE},200\n", "utf-8")
    wrong = run("import", "sites", str(table), "--apply")
    assert (wrong.exit_code, "sites.csv: line 2, lon: '200' is not expected" in wrong.output) == (1, True)
