"""docs/control.md tells how every command can end, and invents no ending."""

from __future__ import annotations

import re

import pytest

from protocols.model.command import FINAL_STATES, CommandState, Reason
from tests.architecture.reference import ROOT
from tests.architecture.test_docs import text

ROW = re.compile(r"^\| (`[a-z-]+`(?:, `[a-z-]+`)*) \| `([a-z]+)` \|", re.MULTILINE)


def endings() -> dict[str, str]:
    """Return the state that the page gives for each reason."""
    return {
        reason: state
        for reasons, state in ROW.findall(text("docs/control.md"))
        for reason in re.findall(r"`([a-z-]+)`", reasons)
    }


def test_every_reason_has_a_line_and_a_state() -> None:
    assert set(endings()) == {reason.value for reason in Reason}
    assert {CommandState(state) for state in endings().values()} == FINAL_STATES


def test_every_final_state_is_explained() -> None:
    page = text("docs/control.md")
    assert all(f"| `{state}` |" in page for state in FINAL_STATES)


@pytest.mark.parametrize("language", ["zh", "en"])
def test_the_console_has_words_for_every_reason_that_the_state_does_not_tell(language: str) -> None:
    web = ROOT / "central/console/web/src"
    words = (web / f"i18n/{language}.ts").read_text(encoding="utf-8")
    (block,) = re.findall(r"\bwhy: \{([^}]*)\}", words.partition("  command: {")[2].partition("\n  },")[0])
    panel = (web / "parts/command/CommandOutcome.vue").read_text(encoding="utf-8")
    told = set(re.findall(r"'([a-z-]+)'", panel.partition("const TOLD")[2].partition("\n")[0]))
    named = {quoted or bare for quoted, bare in re.findall(r"(?:'([a-z-]+)'|([a-z]+)): '", block)}
    assert {reason.value for reason in Reason} <= named | told
    assert named <= {reason.value for reason in Reason}
