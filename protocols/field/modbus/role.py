"""Which role a certificate of Modbus/TCP Security claims (Security v21, 8.1): its holder's, at every device.

A device that enforces roles decides by it what the gateway may read and write, and refuses one without any.
"""

from __future__ import annotations

from pathlib import Path
from typing import Final

from cryptography import x509

ROLE_OID: Final = x509.ObjectIdentifier("1.3.6.1.4.1.50316.802.1")
_UTF8_STRING: Final = 0x0C


def certificate_role(path: Path) -> str:
    """Return the role of a PEM certificate, empty where it has none. Raises OSError, ValueError."""
    certificate = x509.load_pem_x509_certificate(path.read_bytes())
    try:
        found = certificate.extensions.get_extension_for_oid(ROLE_OID).value
    except x509.ExtensionNotFound:
        return ""
    data = found.value if isinstance(found, x509.UnrecognizedExtension) else b""
    # An ASN.1 UTF8String shorter than 128 bytes: tag, length, text.
    if len(data) < 2 or data[0] != _UTF8_STRING or data[1] != len(data) - 2:
        raise ValueError("its role is no UTF8String")
    return data[2:].decode("utf-8")


def remark(path: Path) -> str:
    """Return a sentence on the role of the gateway's own certificate, for a technician."""
    try:
        role = certificate_role(path)
    except (OSError, ValueError) as error:
        return f"the role in {path} cannot be read ({error}); renew the certificate"
    if not role:
        return f"{path} carries no Modbus role; a device that asks for one refuses reads or writes"
    return f"{path} carries the Modbus role {role!r}: what it may do is set on the device"
