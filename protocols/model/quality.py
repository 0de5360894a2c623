"""Quality of a reading: the 32-bit OPC UA StatusCode (OPC 10000-4 clause 7.39, UA-Nodeset StatusCodes.csv).

The top two bits are the class: 00 good, 01 uncertain, 10 bad. Which code a cause gets is
`../shared/domain/alarms.md` section 6.
"""

from __future__ import annotations

from enum import IntEnum
from typing import Literal

QualityClass = Literal["good", "uncertain", "bad"]


class Quality(IntEnum):
    """The status codes that our own drivers and shaping give; a server's other codes pass unchanged."""

    GOOD = 0x0000_0000
    GOOD_LOCAL_OVERRIDE = 0x0096_0000
    UNCERTAIN = 0x4000_0000
    UNCERTAIN_NO_COMMUNICATION_LAST_USABLE_VALUE = 0x408F_0000
    UNCERTAIN_LAST_USABLE_VALUE = 0x4090_0000
    UNCERTAIN_SUBSTITUTE_VALUE = 0x4091_0000
    UNCERTAIN_SENSOR_NOT_ACCURATE = 0x4093_0000
    UNCERTAIN_ENGINEERING_UNITS_EXCEEDED = 0x4094_0000
    UNCERTAIN_SUB_NORMAL = 0x4095_0000
    UNCERTAIN_SIMULATED_VALUE = 0x4209_0000
    UNCERTAIN_SENSOR_CALIBRATION = 0x420A_0000
    BAD = 0x8000_0000
    BAD_COMMUNICATION_ERROR = 0x8005_0000
    BAD_DECODING_ERROR = 0x8007_0000
    BAD_TIMEOUT = 0x800A_0000
    BAD_SECURITY_CHECKS_FAILED = 0x8013_0000
    BAD_CERTIFICATE_TIME_INVALID = 0x8014_0000
    BAD_CERTIFICATE_HOST_NAME_INVALID = 0x8016_0000
    BAD_CERTIFICATE_URI_INVALID = 0x8017_0000
    BAD_CERTIFICATE_UNTRUSTED = 0x801A_0000
    BAD_CERTIFICATE_REVOKED = 0x801D_0000
    BAD_USER_ACCESS_DENIED = 0x801F_0000
    BAD_IDENTITY_TOKEN_REJECTED = 0x8021_0000
    BAD_NO_COMMUNICATION = 0x8031_0000
    BAD_WAITING_FOR_INITIAL_DATA = 0x8032_0000
    BAD_NODE_ID_UNKNOWN = 0x8034_0000
    BAD_OUT_OF_RANGE = 0x803C_0000
    BAD_NOT_SUPPORTED = 0x803D_0000
    BAD_SECURITY_POLICY_REJECTED = 0x8055_0000
    BAD_TYPE_MISMATCH = 0x8074_0000
    BAD_CONFIGURATION_ERROR = 0x8089_0000
    BAD_DEVICE_FAILURE = 0x808B_0000
    BAD_SENSOR_FAILURE = 0x808C_0000
    BAD_OUT_OF_SERVICE = 0x808D_0000
    BAD_CONDITION_DISABLED = 0x8099_0000


CLASS_MASK = 0xC000_0000
CODE_MASK = 0xFFFF_0000


def quality_class(code: int) -> QualityClass:
    """Return the class of a status code; the reserved class 11 counts as bad."""
    top = code & CLASS_MASK
    if top == 0:
        return "good"
    return "uncertain" if top == 0x4000_0000 else "bad"


def quality_name(code: int) -> str:
    """Return the field's name of a code, such as `BadTimeout`; unknown codes as hexadecimal."""
    try:
        known = Quality(code & CODE_MASK)
    except ValueError:
        return f"0x{code:08X}"
    return "".join(part.capitalize() for part in known.name.split("_"))
