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


def test_departments_come_from_a_file_and_own_sites(url: str, tmp_path: Path) -> None:
    def run(*words: str) -> Result:
        env = {"CITYNERVE_DATABASE_URL": url, "CITYNERVE_DATA": str(tmp_path)}
        return CliRunner().invoke(app, ["registry", *words], env=env)

    sites, file = tmp_path / "sites.csv", tmp_path / "departments.csv"
    sites.write_text(f"id,department\n{SITE},water\n", "utf-8")
    refused = run("import", "sites", str(sites), "--apply")
    assert (refused.exit_code, "citynerve registry departments" in refused.output) == (1, True)
    file.write_text("id,name_zh,name_en\nWater,水务局,\nwater,水务局,Water\nwater,水务,Water\na\n", "utf-8")
    wrong = run("departments", str(file))
    assert wrong.exit_code == 1
    for told in (
        "line 2, id: 'Water' is no id",
        "line 2, name_en: needs",
        "line 4, id: 'water' is there twice",
    ):
        assert told in wrong.output
    assert "line 5: three cells are expected" in wrong.output
    assert run("departments").output.splitlines() == ["id,name_zh,name_en"]
    file.write_text("name\n", "utf-8")
    assert "line 1 is: id,name_zh,name_en" in run("departments", str(file)).output
    file.write_bytes("id,name_zh,name_en\nwater,水务局,Water".encode("gb18030"))
    assert "is not UTF-8" in run("departments", str(file)).output
    file.write_text("id,name_zh,name_en\nwater,水务局,Water bureau\n", "utf-8")
    assert "1 added or renamed, 0 unchanged" in run("departments", str(file)).output
    assert run("import", "sites", str(sites), "--apply").exit_code == 0
    file.write_text(run("departments").output.replace("水务局", "水利局"), "utf-8")
    assert "1 added or renamed, 0 unchanged" in run("departments", str(file)).output
    assert "0 added or renamed, 1 unchanged" in run("departments", str(file)).output
    assert f"{SITE},water" in run("export", "sites", "--fields", "department").output


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
