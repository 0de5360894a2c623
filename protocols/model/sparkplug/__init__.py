"""Sparkplug B as both ends of the wire see it: the payload's schema, and the numbers of its data types.

`payload_pb2` is generated from `payload.proto` (Sparkplug B 3.0.0, clause 6.4). The gateway's host
application and the simulated edge nodes share nothing else.
"""

from __future__ import annotations

from enum import IntEnum


class DataType(IntEnum):
    """Data types of metrics, properties and DataSet columns (clause 6.4.16)."""

    UNKNOWN = 0
    INT8 = 1
    INT16 = 2
    INT32 = 3
    INT64 = 4
    UINT8 = 5
    UINT16 = 6
    UINT32 = 7
    UINT64 = 8
    FLOAT = 9
    DOUBLE = 10
    BOOLEAN = 11
    STRING = 12
    DATETIME = 13
    TEXT = 14
    UUID = 15
    DATASET = 16
    BYTES = 17
    FILE = 18
    TEMPLATE = 19
    PROPERTY_SET = 20
    PROPERTY_SET_LIST = 21
    INT8_ARRAY = 22
    INT16_ARRAY = 23
    INT32_ARRAY = 24
    INT64_ARRAY = 25
    UINT8_ARRAY = 26
    UINT16_ARRAY = 27
    UINT32_ARRAY = 28
    UINT64_ARRAY = 29
    FLOAT_ARRAY = 30
    DOUBLE_ARRAY = 31
    BOOLEAN_ARRAY = 32
    STRING_ARRAY = 33
    DATETIME_ARRAY = 34


NAMESPACE = "spBv1.0"
REBIRTH = "Node Control/Rebirth"
BD_SEQ = "bdSeq"
QUALITY = "Quality"
"""Name of the property that tells a metric's quality: 0 bad, 192 good, 500 stale (clause 6.4.13.1)."""
