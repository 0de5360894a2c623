"""What a person may do to an alarm, and when it is refused. Source: alarms.md sections 2 and 3."""

from __future__ import annotations

from collections.abc import Sequence

from edge.alarms.machine import Machine
from edge.alarms.standing import Cover
from edge.alarms.telling import By
from protocols.errors import Rejected
from protocols.model.alarm import AlarmEvent, Overlay, Rule
from protocols.model.clock import SECOND_US
from protocols.model.order import AlarmAct
from protocols.wire.batch import MAX_SAID


def carry_out(machine: Machine, i: int | None, rules: Sequence[Rule], act: AlarmAct, now_us: int) -> None:
    """Do it, or raise Rejected with a code that the centre and the page can show."""
    if i is None:
        raise Rejected(
            "unknown-alarm", f"this gateway has no alarm {act.rule!r}; its configuration may have changed"
        )
    _sayable(act)
    by = By(act.actor, act.comment, act.id)
    match act.verb:
        case "ack":
            _current(machine, i, act)
            machine.acknowledge(i, now_us, by)
        case "reset":
            _current(machine, i, act)
            machine.reset(i, now_us, by)
        case "shelve":
            _shelve(machine, i, rules[i], act, now_us, by)
        case "suspend":
            _reasoned(act, "say by which permit the alarm is taken out of service")
            cover = Cover(now_us, act.actor, act.comment)
            machine.cover(i, AlarmEvent.SUSPEND, Overlay.OOSRV, cover, by)
        case "unshelve":
            _covered(machine, i, Overlay.SHLVD, "not-shelved", "the alarm is not shelved")
            machine.uncover(i, AlarmEvent.UNSHELVE, now_us, by)
        case "return":
            _covered(machine, i, Overlay.OOSRV, "not-out-of-service", "the alarm is in service")
            machine.uncover(i, AlarmEvent.RETURN, now_us, by)


def _shelve(machine: Machine, i: int, rule: Rule, act: AlarmAct, now_us: int, by: By) -> None:
    _reasoned(act, "say why the alarm is shelved; the next shift will want to know")
    if not rule.max_shelve_s:
        raise Rejected("not-shelvable", f"alarm {rule.id!r} is never shelved; its rule says so")
    longest_us = now_us + round(rule.max_shelve_s * SECOND_US)
    until_us = act.until_us
    if until_us is None and act.one_shot:
        until_us = longest_us
    # It was right when it was asked for, and long on its way: at the centre it has been shelved and is back.
    late = until_us is not None and act.at_us < until_us <= now_us
    if until_us is None or not (late or now_us < until_us <= longest_us):
        raise Rejected(
            "shelving-time",
            f"alarm {rule.id!r} is shelved until a time in the next {rule.max_shelve_s / 60:g} minutes",
        )
    cover = Cover(now_us, act.actor, act.comment, until_us, act.one_shot)
    machine.cover(i, AlarmEvent.SHELVE, Overlay.SHLVD, cover, by)
    if late:
        over = By(comment="its time was over when the order came")
        machine.uncover(i, AlarmEvent.UNSHELVE, now_us, over)


def _current(machine: Machine, i: int, act: AlarmAct) -> None:
    """Refuse what is meant for an occurrence that is not the present one."""
    standing = machine.standings.get(i)
    present = standing.occurrence if standing is not None else ""
    if act.occurrence and act.occurrence != present:
        raise Rejected("not-current", "that occurrence is over; look at the alarm as it is now")


def _covered(machine: Machine, i: int, overlay: Overlay, code: str, sentence: str) -> None:
    standing = machine.standings.get(i)
    if standing is None or overlay not in standing.covers:
        raise Rejected(code, sentence)


def _sayable(act: AlarmAct) -> None:
    """Refuse words that no batch can hold: the centre would refuse it whole, with other alarms in it."""
    for words in (act.actor, act.comment, act.id):
        odd = "\0" in words or any("\ud800" <= letter <= "\udfff" for letter in words)
        if odd or len(words) > MAX_SAID:
            raise Rejected(
                "not-storable", f"say it in at most {MAX_SAID} characters, without U+0000 or lone surrogates"
            )


def _reasoned(act: AlarmAct, sentence: str) -> None:
    if not act.comment.strip():
        raise Rejected("reason-missing", sentence)
