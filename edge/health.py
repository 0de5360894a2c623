"""The gateway's own points: what it says about itself, in the same form as any device's readings.

Every device gets two more (`_online`, `_latency`), and the gateway is a device of its own,
`_gateway`. Keys that begin with '_' cannot be written by a technician, so they never collide.
"""

from __future__ import annotations

import ctypes
import os
import time
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import Final

import numpy as np
from numpy.typing import NDArray

from protocols.model.device import AlarmDefault, PointProfile, Text
from protocols.model.quality import Quality

_M_TRIM_THRESHOLD: Final = -1
_M_MMAP_THRESHOLD: Final = -3
_M_ARENA_MAX: Final = -8
_LARGE_BYTES: Final = 128 * 1024


def _point(
    key: str, zh: str, en: str, unit: str = "1", *, decimals: int | None = 0, deadband: float = 0.0
) -> PointProfile:
    # model_construct: the leading '_' is what the pattern of people's keys forbids.
    return PointProfile.model_construct(
        key=key, name=Text(zh=zh, en=en), type="f64", unit=unit, decimals=decimals, deadband=deadband
    )


def _state(key: str, zh: str, en: str, off: tuple[str, str], on: tuple[str, str]) -> PointProfile:
    return _point(key, zh, en, deadband=0.5).model_copy(
        update={
            "type": "bool",
            "labels": {0: Text(zh=off[0], en=off[1]), 1: Text(zh=on[0], en=on[1])},
        }
    )


_OFFLINE, _ONLINE = ("离线", "Offline"), ("在线", "Online")

_COMMUNICATION = AlarmDefault(
    key="communication",
    kind="off_normal",
    limit=1,
    on_delay_s=10,
    priority="P3",
    name=Text(zh="设备通信中断", en="The device does not answer"),
    category="communication",
    response=Text(zh="检查设备供电、线路和地址。", en="Check the device's power, its line and its address."),
)

DEVICE_POINTS: Final[tuple[PointProfile, ...]] = (
    _state("_online", "通信状态", "Communication", _OFFLINE, _ONLINE).model_copy(
        update={"alarms": (_COMMUNICATION,)}
    ),
    _state("_manual", "控制方式", "Control", ("远程", "Remote"), ("就地手动", "Local manual")),
    _point("_latency", "响应时间", "Response time", "ms", decimals=1, deadband=5.0),
)
"""Health of every device, beside the points of its profile; one alarm hides those of its silent points."""

_SET_ASIDE = AlarmDefault(
    key="set-aside",
    kind="hi",
    limit=1,
    priority="P3",
    name=Text(zh="中心拒收数据", en="The centre refuses batches"),
    category="gateway",
    response=Text(
        zh="在网关上运行 citynerve-edge queue 查看原因。",
        en="Run citynerve-edge queue at the gateway and read the reasons.",
    ),
)
_DROPPED = AlarmDefault(
    key="dropped",
    kind="hi",
    limit=1,
    priority="P2",
    name=Text(zh="网关丢弃数据", en="The gateway drops readings"),
    category="gateway",
    response=Text(zh="检查网关磁盘空间与负载。", en="Check the gateway's disk and load."),
)
_CLOCK = AlarmDefault(
    key="clock-offset",
    kind="off_normal",
    limit=0,
    deadband=5000,
    on_delay_s=30,
    priority="P3",
    name=Text(zh="网关时钟偏差", en="The gateway's clock is off"),
    category="gateway",
    response=Text(zh="检查网关的时间同步（NTP）。", en="Check the gateway's time synchronisation (NTP)."),
)

_UNSYNCED = AlarmDefault(
    key="clock-synced",
    kind="off_normal",
    limit=1,
    on_delay_s=600,
    priority="P4",
    name=Text(zh="网关时间未确认", en="Nobody confirms the gateway's time"),
    category="gateway",
    response=Text(
        zh="检查时间同步（NTP）或与中心的连接。",
        en="Check time synchronisation (NTP) or the link to the centre.",
    ),
)
_STORAGE = AlarmDefault(
    key="storage",
    kind="off_normal",
    limit=0,
    priority="P2",
    name=Text(zh="网关缓存异常", en="The gateway's memory is in trouble"),
    category="gateway",
    response=Text(
        zh="在网关上运行 citynerve-edge queue：腾出磁盘空间，或更换损坏的存储介质。",
        en="Run citynerve-edge queue at the gateway: free some space, or replace a disk that damages files.",
    ),
)

_FLOOD = AlarmDefault(
    key="alarm-flood",
    kind="off_normal",
    limit=0,
    priority="P2",
    name=Text(zh="报警泛滥", en="Alarm flood"),
    category="gateway",
    response=Text(
        zh="先处理首发报警和P1、P2报警。", en="See to the first-out alarms and to P1 and P2 first."
    ),
)


def own_points(connections: Sequence[str]) -> tuple[PointProfile, ...]:
    """Return the points of the device `_gateway`; one state for each connection, `line-KEY`."""
    return (
        _point("cpu", "处理器占用", "Processor load", "%", decimals=1),
        _point("rss", "内存占用", "Memory in use", "MBy", decimals=1),
        _point("uptime", "运行时间", "Running for", "s"),
        _point("readings-rate", "采集速率", "Readings per second", "1/s", decimals=1),
        _point("buffer-batches", "待发批次", "Batches waiting"),
        _point("buffer-readings", "待发读数", "Readings waiting"),
        _point("buffer-size", "缓存大小", "Size of the buffer", "MBy", decimals=2),
        _point("lag", "发送滞后", "Age of the oldest waiting batch", "s", decimals=1),
        _point("dropped", "丢弃读数", "Readings dropped").model_copy(update={"alarms": (_DROPPED,)}),
        _point("thinned", "稀释读数", "Readings thinned for room"),
        _point("storage", "缓存状态", "State of the memory", deadband=0.5).model_copy(
            update={
                "labels": {
                    0: Text(zh="正常", en="Good"),
                    1: Text(zh="空间不足", en="Short of room"),
                    2: Text(zh="有损坏文件", en="A file was damaged"),
                },
                "alarms": (_STORAGE,),
            }
        ),
        _state(
            "clock-synced", "时间确认", "Time confirmed", ("存疑", "In doubt"), ("已确认", "Confirmed")
        ).model_copy(update={"alarms": (_UNSYNCED,)}),
        _point("set-aside", "搁置批次", "Batches refused by the centre").model_copy(
            update={"alarms": (_SET_ASIDE,)}
        ),
        _point("clock-offset", "时钟偏差", "Clock offset to the centre", "ms").model_copy(
            update={"alarms": (_CLOCK,)}
        ),
        _point("overruns", "错过的采集周期", "Poll cycles missed"),
        _point("alarms-open", "活动报警", "Alarms raised"),
        _point("local-manual", "就地手动设备", "Devices in local manual mode"),
        _state("alarm-flood", "报警泛滥", "Alarm flood", ("否", "No"), ("是", "Yes")).model_copy(
            update={"alarms": (_FLOOD,)}
        ),
        _point("alarms-chattering", "抖动报警", "Alarms that chatter"),
        _point("devices-offline", "离线设备", "Devices offline"),
        _state("uplink", "上行链路", "Link to the centre", _OFFLINE, _ONLINE),
        *(_state(f"line-{key}", f"线路 {key}", f"Line {key}", _OFFLINE, _ONLINE) for key in connections),
    )


class Pulse:
    """Which devices are heard: from the last quality of their points, all devices in one pass.

    member: shape (points,), the position of a point's device, or -1 for points about health itself.
    """

    def __init__(self, member: NDArray[np.int32], devices: int) -> None:
        self._rows = np.flatnonzero(member >= 0)
        self._member = member[self._rows]
        self._devices = devices

    def look(
        self, latest_us: NDArray[np.int64], quality: NDArray[np.uint32]
    ) -> tuple[NDArray[np.bool_], NDArray[np.bool_]]:
        """Return (heard, tried) of shape (devices,): has a point a usable value, has any been read."""
        codes = quality[self._rows]
        usable = (codes < Quality.BAD) & (codes != Quality.UNCERTAIN_NO_COMMUNICATION_LAST_USABLE_VALUE)
        tried = latest_us[self._rows] > 0
        return self._any(usable & tried), self._any(tried)

    def _any(self, rows: NDArray[np.bool_]) -> NDArray[np.bool_]:
        return np.bincount(self._member[rows], minlength=self._devices) > 0


class Process:
    """What this process costs: processor share since the last look, and resident memory."""

    def __init__(self) -> None:
        self.started = time.monotonic()
        self._looked = self.started
        self._used = time.process_time()

    def look(self) -> tuple[float, float, float]:
        """Return (processor load in % of one core, resident memory in MB, uptime in s)."""
        now, used = time.monotonic(), time.process_time()
        cpu = 100 * (used - self._used) / max(now - self._looked, 1e-9)
        self._looked, self._used = now, used
        return cpu, resident_mb(), now - self.started


def hold_little() -> None:
    """Ask glibc to keep no more free memory than it needs; another C library keeps its own ways.

    By itself it makes an arena for each thread, and learns from one large block to keep all later ones: on a
    gateway of 10,000 points a tenth of its memory, used by nobody (mallopt(3)).
    """
    with suppress(OSError, AttributeError):
        libc = ctypes.CDLL(None)
        libc.mallopt(_M_ARENA_MAX, 1)
        libc.mallopt(_M_MMAP_THRESHOLD, _LARGE_BYTES)
        libc.mallopt(_M_TRIM_THRESHOLD, _LARGE_BYTES)


def resident_mb() -> float:
    """Return this process's resident memory in megabytes (10**6 bytes); NaN where the system hides it."""
    try:
        pages = int(Path("/proc/self/statm").read_text(encoding="ascii").split()[1])
    except (OSError, ValueError, IndexError):
        return float("nan")
    return pages * os.sysconf("SC_PAGE_SIZE") / 1e6
