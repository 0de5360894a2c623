"""Writes messages: which receivers of which channels get what text."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime

from central.notices.bodies import Channel, Target
from central.notices.book import Item
from central.notices.deliveries import Delivery, new_id
from central.notices.facts import Alarm, values
from central.notices.templates import filled
from central.notices.words import Text


@dataclass(frozen=True, slots=True)
class Writer:
    """Holds what one turn knows: channels, templates, the time."""

    channels: Mapping[int, Item]
    texts: Mapping[tuple[str, str], Text]
    now: datetime

    def alarm(
        self, targets: Sequence[Target], event: str, alarm: Alarm, rule: Item, source: str, zone: str,
        step: int | None = None,
    ) -> Iterator[Delivery]:  # fmt: skip
        """Yield one delivery per receiver for an alarm. source names the cause, once for all receivers."""
        for target in targets:
            known = values(alarm, target.lang, zone, self.now, step)
            text = filled(self.texts[event, target.lang], known)
            for delivery in self.plain(target, event, text, f"{source}:{target.channel}"):
                yield _about(delivery, alarm, rule, step)

    def plain(
        self, target: Target, event: str, text: Text, source: str, *, off: bool = False
    ) -> Iterator[Delivery]:
        """Yield one delivery per receiver for a text. A channel that is gone gets none, nor one switched off.

        off: it may be switched off.
        """
        item = self.channels.get(target.channel)
        if item is None or not (item.enabled or off):
            return
        assert isinstance(item.body, Channel)  # noqa: S101 - they are listed by kind
        short = item.body.settings.kind == "sms"
        for recipient in target.to or [""]:
            yield Delivery(
                id=new_id(), source=f"{source}:{recipient}", kind="notice", item=item.id, item_name=item.name,
                rule=None, rule_name="", event=event, alarm=None, site=None, priority=None, step=None,
                recipient=recipient, lang=target.lang, subject=text.subject,
                body=text.short if short else text.body, state="waiting", digest=None, made_at=self.now,
                ended_at=None,
            )  # fmt: skip


def per_minute(channels: Mapping[int, Item]) -> dict[int, int]:
    """Return what a receiver of each channel gets within a minute."""
    return {item.id: item.body.per_minute for item in channels.values() if isinstance(item.body, Channel)}


def _about(delivery: Delivery, alarm: Alarm, rule: Item, step: int | None) -> Delivery:
    return replace(
        delivery, rule=rule.id, rule_name=rule.name, alarm=alarm.id, site=alarm.site,
        priority=alarm.priority, step=step,
    )  # fmt: skip
