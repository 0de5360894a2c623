"""What the first page loads: under 500 kB of JavaScript by gzip, the map and the charts not in it."""

from __future__ import annotations

import gzip
import re
from pathlib import Path

import central.console

STATIC = Path(central.console.__file__).parent / "static"
MOST_BYTES = 500_000
IMPORTED = re.compile(r"""(?:from|import)\s*["']\./([\w.-]+\.js)["']""")
"""A static import, as the build writes it; one that is loaded when used is `import("./…")`."""


def _with_imports(name: str, found: dict[str, bytes]) -> None:
    """Add a file and all that it cannot start without."""
    if name in found:
        return
    found[name] = (STATIC / "assets" / name).read_bytes()
    for other in IMPORTED.findall(found[name].decode()):
        _with_imports(other, found)


def _loaded(*first: str) -> dict[str, bytes]:
    found: dict[str, bytes] = {}
    for name in first:
        _with_imports(name, found)
    return found


def test_the_first_page_is_small_and_loads_map_and_charts_only_when_used() -> None:
    page = STATIC / "index.html"
    assert page.is_file(), "the console is not built: run `make setup`"
    entry = re.findall(r"/assets/([\w.-]+\.js)", page.read_text("utf-8"))
    overview = [path.name for path in (STATIC / "assets").glob("Overview-*.js")]
    assert entry
    assert overview
    loaded = _loaded(*entry, *overview)
    sizes = {name: len(gzip.compress(data)) for name, data in loaded.items()}
    assert sum(sizes.values()) < MOST_BYTES, sorted(sizes.items(), key=lambda item: -item[1])

    # Told by what their makers write into them, since the build may name its files otherwise.
    everything = {path.name: path.read_bytes() for path in (STATIC / "assets").glob("*.js")}
    for mark in (b"maplibregl-canvas", b"data-zr-dom-id"):
        heavy = {name for name, data in everything.items() if mark in data}
        assert heavy, mark
        assert not heavy & set(loaded), mark
