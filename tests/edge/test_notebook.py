"""What is learnt of devices stays in the state folder, whatever happens to the file."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path

import pytest
from typer.testing import CliRunner

from edge.cli import app
from edge.notebook import Notebook, read
from tests.edge.house import until

FILE = """\
gateway: {id: gw, name: &n {zh: 关, en: G}}
state_dir: state
sites: [{key: a, name: *n, kind: station, lon: 1, lat: 2}]
connections: [{key: bus, protocol: modbus, settings: {host: 192.0.2.1}}]
devices:
  - {key: meter, site: a, name: *n, connection: bus, profile: eastron.sdm120, params: {unit: 1}}
"""
RECORD = {
    "version": 1, "profile": "eastron.sdm120 1", "max_registers": 60, "max_bits": None, "pause_ms": 20,
    "holes": [{"fc": 4, "address": 20, "count": 10, "exception": 2, "value": False}], "learnt_us": 1,
}  # fmt: skip


async def test_it_is_read_by_the_next_gateway(tmp_path: Path) -> None:
    book = Notebook(tmp_path, "bus")
    assert book.get("meter") == {}
    for pause in range(20):
        book.put("meter", {"pause_ms": pause})
    book.put("other", {})
    await until(lambda: read(book.path) == {"meter": {"pause_ms": 19}, "other": {}})
    again = Notebook(tmp_path, "bus")
    assert again.get("meter") == {"pause_ms": 19}
    assert again.forget("meter")
    assert not again.forget("meter")
    await until(lambda: read(book.path) == {"other": {}})


@pytest.mark.parametrize("text", ["", "[1]", '{"meter": 3}', '{"meter"', "\xff\xfe"])
async def test_a_damaged_file_is_an_empty_one_and_is_written_anew(tmp_path: Path, text: str) -> None:
    path = Notebook(tmp_path, "bus").path
    path.parent.mkdir()
    path.write_text(text, encoding="latin-1")
    book = Notebook(tmp_path, "bus")
    assert book.get("meter") == {}
    book.put("meter", {"pause_ms": 1})
    await until(lambda: read(path) == {"meter": {"pause_ms": 1}})


async def test_a_disk_that_does_not_take_it_stops_nobody(tmp_path: Path) -> None:
    (tmp_path / "learnt").write_text("a file where the folder should be")
    book = Notebook(tmp_path, "bus")
    book.put("meter", {"pause_ms": 1})
    book.put("meter", {"pause_ms": 2})
    await asyncio.sleep(0.05)
    assert book.get("meter") == {"pause_ms": 2}


def test_a_technician_sees_it_in_words_and_as_json(tmp_path: Path) -> None:
    file = tmp_path / "gateway.yaml"
    file.write_text(FILE)
    run = CliRunner().invoke
    assert "nothing was learnt" in run(app, ["learnt", str(file)]).output
    folder = tmp_path / "state" / "learnt"
    folder.mkdir(parents=True)
    (folder / "bus.json").write_text(json.dumps({"meter": RECORD, "gone": RECORD}))
    told = run(app, ["learnt", str(file)]).output
    assert "reads of at most 60 registers" in told
    assert "rests 20 ms" in told
    assert "FC4 20 to 29 (wire): exception 02 illegal address; a gap between points" in told
    shown = json.loads(run(app, ["learnt", str(file), "--json"]).output)
    assert shown == {"meter": {key: value for key, value in RECORD.items() if key != "version"}}
    unknown = run(app, ["learnt", str(file), "--forget", "nobody"])
    assert unknown.exit_code == 1
    idle = run(app, ["learnt", str(file), "--forget", "meter"])
    assert idle.exit_code == 1
    assert "run" in idle.output
