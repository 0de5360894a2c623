"""axe-core, as the console's packages bring it, put into a page: what keeps somebody from using it.

`serious` and `critical` are axe's own two worst grades. The rules: WCAG 2.0 to 2.2, levels A and AA.
"""

from __future__ import annotations

import functools
import subprocess
import sys
from pathlib import Path

from playwright.sync_api import Page

ROOT = Path(__file__).resolve().parents[2]
SCRIPT = ROOT / "central/console/web/node_modules/axe-core/axe.min.js"
EXPERIMENTAL = "label-content-name-mismatch"
"""A rule that axe itself calls experimental, and leaves out unless its level is asked for by name."""
WORDS = (
    "aria-command-name", "aria-dialog-name", "aria-input-field-name", "aria-toggle-field-name", "button-name",
    "document-title", "html-has-lang", "html-lang-valid", "image-alt", "input-button-name", "label",
    "link-name", "role-img-alt", "select-name", "svg-img-alt",
)  # fmt: skip
"""The rules that a missing translation breaks; colours, sizes and roles know no language."""
# A map's pins stand where their places are, however close: WCAG 2.5.8 exempts them.
RUN = """async ([scope, words, without]) => {
    const context = { include: [scope], exclude: ['.maplibregl-marker'] }
    const found = await axe.run(context, {
        resultTypes: ['violations'],
        runOnly: words ?? ['wcag2a', 'wcag2aa', 'wcag21a', 'wcag21aa', 'wcag22aa'],
        rules: { [without]: { enabled: false } },
    })
    return found.violations
        .filter(({ impact }) => impact === 'serious' || impact === 'critical')
        .flatMap(({ id, nodes }) => nodes.map(
            ({ target, html }) => `${id}: ${target.join(' ')}: ${html.slice(0, 160)}`))
}"""


@functools.cache
def _script() -> str:
    if not SCRIPT.is_file():
        subprocess.run([sys.executable, "hatch_build.py", "central", "install"], cwd=ROOT, check=True)
    return SCRIPT.read_text("utf-8")


def faults(page: Page, scope: str = "html", *, words: bool = False) -> list[str]:
    """Return the serious and critical faults within `scope`, each with its rule, its place and its HTML.

    scope: a CSS selector; words: only the rules about words, for the second language of a page.
    """
    if not page.evaluate("'axe' in window"):
        # Evaluated, not added as a <script>: the page's content security policy stays as it is.
        page.evaluate(f"() => {{ {_script()} }}")
    found: list[str] = page.evaluate(RUN, [scope, list(WORDS) if words else None, EXPERIMENTAL])
    return found
