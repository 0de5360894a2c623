"""What a quality code or a broken line means to a technician, and what to do about it; in both languages.

Which cause gets which code: `../shared/domain/alarms.md` section 6.
"""

from __future__ import annotations

from typing import Final

from edge.console.answers import Words
from protocols.model.quality import CODE_MASK, Quality, quality_class, quality_name

_Q = Quality
MEANING: Final[dict[int, Words]] = {
    _Q.GOOD: Words("正常", "Good"),
    _Q.GOOD_LOCAL_OVERRIDE: Words("本地置数", "Set by hand at the device"),
    _Q.UNCERTAIN: Words("数值不确定", "The device is not sure of this value"),
    _Q.UNCERTAIN_NO_COMMUNICATION_LAST_USABLE_VALUE: Words(
        "通信已断，显示最后一次的数值", "The line is down; this is the last value that was heard"
    ),
    _Q.UNCERTAIN_LAST_USABLE_VALUE: Words(
        "设备忙，显示最后一次的数值", "The device was busy; this is the last value that it told"
    ),
    _Q.UNCERTAIN_SUBSTITUTE_VALUE: Words("人工替代值", "A value that a person put in its place"),
    _Q.UNCERTAIN_SENSOR_NOT_ACCURATE: Words(
        "传感器到达量程边缘，检查传感器", "The sensor is at the end of its range: check the sensor"
    ),
    _Q.UNCERTAIN_ENGINEERING_UNITS_EXCEEDED: Words(
        "超出量程：检查传感器、系数与量程设置",
        "Outside the range of the profile: check the sensor, the scale and the range",
    ),
    _Q.UNCERTAIN_SUB_NORMAL: Words("有效输入太少", "Too few good inputs for this figure"),
    _Q.UNCERTAIN_SIMULATED_VALUE: Words("模拟值", "A simulated value"),
    _Q.UNCERTAIN_SENSOR_CALIBRATION: Words("传感器需要校准", "The sensor's calibration is overdue"),
    _Q.BAD: Words("设备报告数值无效", "The device says that this value is bad"),
    _Q.BAD_COMMUNICATION_ERROR: Words(
        "应答损坏：检查接线、屏蔽、终端电阻、波特率，以及站号是否重复",
        "The answer is damaged: check wiring, termination, baud rate, and for a unit id that is used twice",
    ),
    _Q.BAD_DECODING_ERROR: Words(
        "报文无法解析：检查主题与设备模板中的字段路径",
        "The message cannot be read: check the topic and the path of the field in the profile",
    ),
    _Q.BAD_TIMEOUT: Words(
        "设备不应答：检查电源、接线、站号",
        "The device does not answer: check its power, the wiring and its unit id",
    ),
    _Q.BAD_SECURITY_CHECKS_FAILED: Words(
        "安全检查未通过：检查安全策略与双方证书",
        "The security checks failed: check the security policy and the certificates of both sides",
    ),
    _Q.BAD_SECURITY_POLICY_REJECTED: Words(
        "服务器不提供所要求的安全策略：检查 security_policy 与 security_mode",
        "The server does not offer this security: check security_policy and security_mode",
    ),
    _Q.BAD_CERTIFICATE_UNTRUSTED: Words(
        "服务器证书尚未获信任：检查指纹，再由人确认信任",
        "Nobody has trusted the server's certificate: check its fingerprint, then trust it",
    ),
    _Q.BAD_CERTIFICATE_HOST_NAME_INVALID: Words(
        "证书签发给了另一主机：检查 url 与证书中的主机名",
        "The certificate is for another host: check the url and the names in the certificate",
    ),
    _Q.BAD_CERTIFICATE_URI_INVALID: Words(
        "证书签发给了另一应用：检查服务器的 ApplicationUri 与证书",
        "The certificate is for another application: check its URI and the server's ApplicationUri",
    ),
    _Q.BAD_CERTIFICATE_REVOKED: Words(
        "证书已被签发机构吊销：检查原因，并为服务器换发新证书",
        "The certificate was revoked by its authority: check why, and let the server have a new one",
    ),
    _Q.BAD_CERTIFICATE_TIME_INVALID: Words(
        "证书不在有效期内：检查双方时钟与证书日期",
        "A certificate is outside its dates: check both clocks and the certificate",
    ),
    _Q.BAD_IDENTITY_TOKEN_REJECTED: Words(
        "服务器不接受这种登录方式：检查用户名或用户证书",
        "The server takes no user of this kind: check the user name or the user certificate",
    ),
    _Q.BAD_USER_ACCESS_DENIED: Words(
        "设备拒绝登录：检查用户名与密码文件",
        "The device refuses the sign-in: check the user name and the password file",
    ),
    _Q.BAD_NO_COMMUNICATION: Words(
        "无法连接：检查网线、电源、IP 地址与端口",
        "It cannot be reached: check the cable, the power, the address and the port",
    ),
    _Q.BAD_WAITING_FOR_INITIAL_DATA: Words("尚未读取，请稍候", "Not read yet; wait a moment"),
    _Q.BAD_NODE_ID_UNKNOWN: Words(
        "设备中没有该节点：检查设备模板中的节点与命名空间",
        "The device has no such node: check node and namespace in the profile",
    ),
    _Q.BAD_OUT_OF_RANGE: Words(
        "设备拒绝该数量或数值：检查寄存器数量与设备模板",
        "The device refuses this count or value: check the number of registers in the profile",
    ),
    _Q.BAD_NOT_SUPPORTED: Words(
        "设备不支持该功能：检查功能码与设备型号",
        "The device does not know this function: check the function code and the model",
    ),
    _Q.BAD_TYPE_MISMATCH: Words(
        "类型不符：检查设备模板中的数据类型", "Another type than expected: check the type in the profile"
    ),
    _Q.BAD_CONFIGURATION_ERROR: Words(
        "设备没有该地址：检查设备模板与型号是否相符",
        "The device has no such address: check that the profile is for this model",
    ),
    _Q.BAD_DEVICE_FAILURE: Words(
        "设备报告自身故障：查看设备面板", "The device reports a failure of its own: look at its panel"
    ),
    _Q.BAD_SENSOR_FAILURE: Words(
        "传感器故障或断线：检查传感器及其接线",
        "The sensor has failed or its wire is broken: check the sensor and its wiring",
    ),
    _Q.BAD_OUT_OF_SERVICE: Words("设备已关闭或正在检修", "The device is switched off or under maintenance"),
    _Q.BAD_CONDITION_DISABLED: Words(
        "服务器停用了该报警条件：在服务器上检查并启用",
        "The server has this alarm condition switched off: check it there, and switch it on",
    ),
}
_CLASSES: Final = {
    "good": Words("正常", "Good"),
    "uncertain": Words("数值不确定", "The device is not sure of this value"),
    "bad": Words("设备给出的错误", "An error that the device told"),
}
WELL: Final = Words("一切正常", "All is well")
REMARK: Final = Words("工作正常，另有说明", "It works, with a remark")
WAITING: Final = Words("等待第一次读取", "Waiting for the first reading")
CONNECTING: Final = Words("正在连接", "Connecting")
NO_POINTS: Final = Words("没有可读的点", "It has no point that can be read")


def meaning(code: int) -> Words:
    """Return what a status code means; codes that only the device's maker knows keep their number."""
    known = MEANING.get(code & CODE_MASK)
    if known is not None:
        return known
    generic = _CLASSES[quality_class(code)]
    name = quality_name(code)
    return Words(f"{generic.zh}（{name}）", f"{generic.en} ({name})")


def some_points(count: int, of: int, code: int) -> Words:
    """Return the sentence for a device that answers while some of its points are bad."""
    why = meaning(code)
    return Words(f"{of} 个点中有 {count} 个异常：{why.zh}", f"{count} of {of} points are bad. {why.en}")


def resting(code: int) -> Words:
    """Return the sentence for a device that is left in peace because it stayed silent."""
    why = meaning(code)
    return Words(f"{why.zh}。暂停轮询，稍后再试", f"{why.en}. It is left in peace and tried again later")
