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
RUN = """async (colours) => {
    const found = await axe.run(document, {
        resultTypes: ['violations'],
        rules: {
            'color-contrast': { enabled: colours },
            'label-content-name-mismatch': { enabled: false }, // experimental, says axe
        },
        runOnly: ['wcag2a', 'wcag2aa', 'wcag21a', 'wcag21aa', 'wcag22aa'],
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


def faults(page: Page, *, colours: bool = True) -> list[str]:
    """Return the page's serious and critical faults, each with its rule, its place and its HTML.

    Without `colours` it looks at everything but contrast, which costs most and knows no language.
    """
    if not page.evaluate("'axe' in window"):
        # Evaluated, not added as a <script>: the page's content security policy stays as it is.
        page.evaluate(f"() => {{ {_script()} }}")
    found: list[str] = page.evaluate(RUN, colours)
    return found
