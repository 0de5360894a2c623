"""The templates built in, and words that are put into them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final


@dataclass(frozen=True, slots=True)
class Text:
    """One message in one language."""

    subject: str
    body: str
    short: str


_FACTS_ZH = (
    "报警：${name}\n级别：${priority}\n地点：${site} ${area}\n设备：${device}\n测点：${point}\n"
    "数值：${value} ${unit}（限值 ${limit} ${unit}）\n发生：${raised_at}\n"
)
_FACTS_EN = (
    "Alarm: ${name}\nPriority: ${priority}\nPlace: ${site} ${area}\nDevice: ${device}\nPoint: ${point}\n"
    "Value: ${value} ${unit} (limit ${limit} ${unit})\nRaised: ${raised_at}\n"
)

BUILT_IN: Final[Mapping[tuple[str, str], Text]] = {
    ("raised", "zh"): Text(
        "[${priority}] ${site}：${name}", _FACTS_ZH + "编号：${alarm}\n",
        "【报警${priority}】${site} ${name}，${value}${unit}，${raised_at}",
    ),
    ("raised", "en"): Text(
        "[${priority}] ${site}: ${name}", _FACTS_EN + "Id: ${alarm}\n",
        "ALARM ${priority} ${site}: ${name}, ${value} ${unit}, ${raised_at}",
    ),
    ("cleared", "zh"): Text(
        "[恢复] ${site}：${name}", _FACTS_ZH + "恢复：${cleared_at}\n",
        "【恢复】${site} ${name}，${cleared_at}",
    ),
    ("cleared", "en"): Text(
        "[Cleared] ${site}: ${name}", _FACTS_EN + "Cleared: ${cleared_at}\n",
        "CLEARED ${site}: ${name}, ${cleared_at}",
    ),
    ("acknowledged", "zh"): Text(
        "[已确认] ${site}：${name}", _FACTS_ZH + "确认：${acked_by}，${acked_at}\n",
        "【已确认】${site} ${name}，${acked_by}，${acked_at}",
    ),
    ("acknowledged", "en"): Text(
        "[Acknowledged] ${site}: ${name}", _FACTS_EN + "Acknowledged: ${acked_by}, ${acked_at}\n",
        "ACKNOWLEDGED ${site}: ${name}, by ${acked_by}, ${acked_at}",
    ),
    ("unacknowledged", "zh"): Text(
        "[未确认 ${minutes} 分钟] ${site}：${name}", _FACTS_ZH + "已有 ${minutes} 分钟无人确认。\n",
        "【${minutes}分钟未确认${priority}】${site} ${name}，${raised_at}",
    ),
    ("unacknowledged", "en"): Text(
        "[Unacknowledged for ${minutes} min] ${site}: ${name}",
        _FACTS_EN + "Nobody has acknowledged it for ${minutes} minutes.\n",
        "UNACKNOWLEDGED ${minutes} min ${priority} ${site}: ${name}, ${raised_at}",
    ),
    ("escalated", "zh"): Text(
        "[升级第 ${step} 步] ${site}：${name}",
        _FACTS_ZH + "第 ${step} 步升级：已有 ${minutes} 分钟未处理。\n",
        "【升级${step} ${priority}】${site} ${name}，${minutes}分钟未处理",
    ),
    ("escalated", "en"): Text(
        "[Escalated, step ${step}] ${site}: ${name}",
        _FACTS_EN + "Step ${step} of its escalation: not answered for ${minutes} minutes.\n",
        "ESCALATED ${step} ${priority} ${site}: ${name}, ${minutes} min without an answer",
    ),
    ("digest", "zh"): Text(
        "报警汇总：${count} 条",
        "报警过多，以下 ${count} 条合并为一条：\n${by_priority}\n${first_at} 至 ${last_at}\n"
        "地点：${sites}\n\n${worst}\n",
        "【报警汇总】${count}条：${by_priority}；${sites}",
    ),
    ("digest", "en"): Text(
        "Alarm digest: ${count} messages",
        "There were too many to send each; these ${count} are told as one:\n${by_priority}\n"
        "${first_at} to ${last_at}\nPlaces: ${sites}\n\n${worst}\n",
        "ALARM DIGEST ${count}: ${by_priority}; ${sites}",
    ),
    ("webhook_disabled", "zh"): Text(
        "Webhook 已停用：${webhook}",
        "Webhook ${webhook}（${url}）自 ${since} 起一直失败，已自动停用。\n${error}\n",
        "【Webhook停用】${webhook}，自${since}失败",
    ),
    ("webhook_disabled", "en"): Text(
        "Webhook switched off: ${webhook}",
        "The webhook ${webhook} (${url}) has failed since ${since} and was switched off.\n${error}\n",
        "WEBHOOK OFF ${webhook}, failing since ${since}",
    ),
    ("test", "zh"): Text(
        "CityNerve 测试消息", "这是通道“${channel}”的测试消息，由 ${by} 于 ${at} 发出。\n",
        "【测试】通道${channel}，${at}",
    ),
    ("test", "en"): Text(
        "CityNerve test message", "A test of the channel “${channel}”, sent by ${by} at ${at}.\n",
        "TEST of channel ${channel}, ${at}",
    ),
}  # fmt: skip

STATES: Final[Mapping[str, tuple[str, str]]] = {
    "NORM": ("正常", "normal"),
    "UNACK": ("未确认报警", "unacknowledged"),
    "ACKED": ("已确认报警", "acknowledged"),
    "RTNUN": ("恢复未确认", "returned, unacknowledged"),
    "LTUNK": ("锁存未确认", "latched, unacknowledged"),
    "LTACK": ("锁存已确认", "latched, acknowledged"),
}
PRIORITIES: Final[Mapping[str, tuple[str, str]]] = {
    "P1": ("P1 紧急", "P1 critical"),
    "P2": ("P2 高", "P2 high"),
    "P3": ("P3 中", "P3 medium"),
    "P4": ("P4 低", "P4 low"),
}
