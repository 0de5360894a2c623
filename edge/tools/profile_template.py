"""A profile to begin with: one small device of a protocol, each line with a comment on what it is for."""

from __future__ import annotations

from typing import Final

from protocols.errors import Rejected

_HEAD: Final = """\
# A device model. Its file name is its id and `.yaml`. Every field: docs/configuration.md, "Device profiles".
# 设备型号。文件名就是 id 加 .yaml。全部字段见 docs/configuration.md。
id: {identity}
vendor: My company            # 厂家
model: My device              # 型号, as on its plate
name: {{zh: 我的设备, en: My device}}
version: 1                    # add 1 with every change 每次修改加 1
kind: {kind}
protocol: {protocol}
source: "manual, page, date"  # 依据: which manual says so
"""
_ALARM: Final = """\
    alarms:                   # 报警: every device of this model has them
      - key: no-data
        name: {zh: 数据中断, en: No data}
        kind: no_data
        limit: 60             # seconds 秒
        priority: P3
        response: {zh: 检查供电与通信线路。, en: Check supply and line.}
"""
_BODIES: Final = {
    "modbus": """\
limits: {max_registers: 60, timeout_ms: 1000, retries: 1}  # what the device bears 设备的承受能力
probe:                        # values that tell it from other models 用于扫描识别
  - {point: temperature, low: -40, high: 80}
points:
  - key: temperature
    name: {zh: 温度, en: Temperature}
    type: i16                 # u16 i16 u32 i32 f32 … as the manual says 数据类型
    unit: Cel                 # UCUM: V A kW kW.h Hz Cel % m m3/h
    scale: 0.1                # value = raw x scale + offset 系数
    decimals: 1
    min: -40                  # outside, the value is uncertain 量程
    max: 80
    sentinels: [32767]        # raw values that mean "no value" 无效值
    modbus: {fc: 4, address: 0x0001}  # wire address, from 0; or {register: 30002} as the manual prints it
    doc_ref: "30002"
"""
    + _ALARM
    + """\
  - key: relay
    name: {zh: 继电器, en: Relay}
    type: bool
    labels:
      0: {zh: 断开, en: "Off"}
      1: {zh: 闭合, en: "On"}
    writable: true            # a command; its limits 可写及限值
    write_min: 0
    write_max: 1
    modbus: {fc: 1, address: 0x0000}
    doc_ref: "00001"
golden:                       # raw bytes on the wire, and what they must become 原始值与应得的值
  - {point: temperature, raw: "00D6", value: 21.4}
  - {point: temperature, raw: "FF33", value: -20.5}
  - {point: temperature, raw: "7FFF", quality: BadSensorFailure}
  - {point: relay, raw: true, value: 1}
""",
    "mqtt": """\
points:
  - key: level
    name: {zh: 液位, en: Level}
    type: f64
    unit: m
    decimals: 2
    min: 0
    max: 10
    mqtt: {topic: "plant/{device}/state", json_path: level, time_path: ts}  # {device}: from the gateway file
    doc_ref: level
"""
    + _ALARM
    + """\
golden:
  - {point: level, raw: 2.41, value: 2.41}
  - {point: level, raw: null, quality: BadSensorFailure}
""",
    "opcua": """\
points:
  - key: speed
    name: {zh: 转速, en: Speed}
    type: f64
    unit: "{rpm}"
    decimals: 0
    min: 0
    max: 3000
    opcua: {namespace: "urn:my-company:plc", node: "s={device}.Speed"}  # the URI, never its number
    doc_ref: Speed
"""
    + _ALARM
    + """\
golden:
  - {point: speed, raw: 1450.0, value: 1450}
""",
    "sparkplug": """\
points:
  - key: pressure
    name: {zh: 压力, en: Pressure}
    type: f32
    unit: bar
    decimals: 2
    min: 0
    max: 16
    sparkplug: {metric: Pressure}  # the metric's name in births
    doc_ref: Pressure
"""
    + _ALARM
    + """\
golden:
  - {point: pressure, raw: 4.25, value: 4.25}
""",
}
PROTOCOLS: Final = tuple(_BODIES)


def template(identity: str, protocol: str) -> str:
    """Return a commented profile of that id. Raises Rejected (`protocol`)."""
    if protocol not in _BODIES:
        raise Rejected("protocol", f"there are templates for {', '.join(_BODIES)}, not for {protocol!r}")
    kind = "climate           # device type on the map 地图上的类型" if protocol == "modbus" else "level"
    return _HEAD.format(identity=identity, protocol=protocol, kind=kind) + _BODIES[protocol]
