"""What an OPC UA server's refusal means to a technician, and what he can do about it."""

from __future__ import annotations

from typing import Final

from asyncua import ua
from asyncua.ua.status_codes import StatusCodes

from protocols.errors import ConnectionLost
from protocols.model.quality import Quality

_S = StatusCodes
_REPAIRS: Final[dict[int, str]] = {
    _S.BadUserAccessDenied: "it refuses the user; check username and password at the server",
    _S.BadIdentityTokenRejected: "it takes no user of this kind; check username or user_certificate",
    _S.BadIdentityTokenInvalid: "it cannot read the user; check username, password and user_certificate",
    _S.BadUserSignatureInvalid: "user_key is not the key of user_certificate; give the pair",
    _S.BadCertificateTimeInvalid: "it finds a certificate outside its dates; compare the clocks of both",
    _S.BadCertificateUriInvalid: "it misses our ApplicationUri in our certificate; let it be issued anew",
    _S.BadCertificateUseNotAllowed: "our certificate is not made for this use; let it be issued anew",
    _S.BadCertificateUntrusted: "it does not trust this gateway's certificate",
    _S.BadSecurityChecksFailed: "it refuses the secure channel",
    _S.BadSecurityPolicyRejected: "it does not speak this security_policy; look at what it offers",
    _S.BadSecurityModeRejected: "it does not speak this security_mode; look at what it offers",
    _S.BadTooManySessions: "all its sessions are taken; end others, or allow more at the server",
    _S.BadMaxConnectionsReached: "all its connections are taken; end others, or allow more at the server",
    _S.BadTcpServerTooBusy: "it is too busy; the gateway comes back",
    _S.BadTcpEndpointUrlInvalid: "it knows no such path; write the url as the server shows it",
    _S.BadServerUriInvalid: "it is another server than the url says; check the url",
}


def code_name(code: int) -> str:
    """Return the standard's name of any status code, such as `BadCertificateUntrusted`."""
    return str(ua.StatusCode(ua.UInt32(code)).name)


def reason(error: BaseException) -> str:
    """Return why something was not done, in words."""
    code = getattr(error, "code", None)
    if isinstance(code, int):
        meaning = _REPAIRS.get(code)
        return f"{code_name(code)}: {meaning}" if meaning else code_name(code)
    return str(error) or "no answer"


def refusal(url: str, error: BaseException) -> ConnectionLost:
    """Return the error of a connection that could not be opened, with the server's reason and the repair."""
    code = getattr(error, "code", None)
    if isinstance(code, int):
        return ConnectionLost(f"OPC UA {url} cannot be used: the server says {reason(error)}", code)
    return ConnectionLost(
        f"OPC UA {url} cannot be used: {reason(error)}; check the url, and that the server runs",
        Quality.BAD_NO_COMMUNICATION,
    )
