"""Two layers: what gateways declare and what people write over it; what is in force follows from both."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from central.city.fields import DEVICE_ID, FIELDS, SITE_ID, Fault, Kind, Known

State = dict[str, Any]
"""A thing as its table's row: `id`, every field of `FIELDS`, `declared`, `written`, perhaps `lifecycle`."""


SITE_DECLARED = Fault(
    "网关已申报该设备所在站点，请在网关文件中修改",
    "the gateway declares where this device is; change it in the gateway's file",
)


class Faults(Exception):
    """Everything that is wrong with a change, by field."""

    def __init__(self, faults: list[tuple[str, Fault]]) -> None:
        self.faults = faults
        super().__init__("; ".join(f"{name}: {fault.en}" for name, fault in faults))


def amend(kind: Kind, before: State, changes: Mapping[str, Any], known: Known) -> State:
    """Return the thing with the changes made; None takes back what people wrote. Raises Faults.

    Where a gateway declared a field, taking it back brings the gateway's words into force again.
    """
    after: State = {**before, "written": dict(before["written"])}
    faults: list[tuple[str, Fault]] = []
    fields = {field.name: field for field in FIELDS[kind]}
    for name in changes.keys() - fields.keys():
        faults.append((name, Fault("没有此项", f"a {kind} has no such field")))
    for name, field in fields.items():
        if name not in changes:
            continue
        try:
            value = field.empty if changes[name] is None else field.clean(changes[name], known)
        except Fault as fault:
            faults.append((name, fault))
            continue
        if name == "site" and kind == "device" and before["declared"] and value != before["site"]:
            faults.append((name, SITE_DECLARED))
            continue
        nothing = value in (None, "", [])
        if not field.declared:
            after[name] = value
        elif nothing:
            after["written"].pop(name, None)
            after[name] = (before["declared"] or {}).get(name, field.empty)
        elif value != before[name] or name in after["written"]:
            after["written"][name] = after[name] = value
    faults += [
        (name, Fault("必填", "is needed"))
        for name, field in fields.items()
        if field.needed
        and after[name] in (None, "")
        and (name in changes or before["id"] == "")
        and name not in {wrong for wrong, _ in faults}
    ]
    if "lon" in fields and not faults and (after["lon"] is None) != (after["lat"] is None):
        missing = "lon" if after["lon"] is None else "lat"
        faults.append((missing, Fault("经纬度须同时填写", "longitude and latitude go together; give both")))
    if faults:
        raise Faults(faults)
    return after


def blank(kind: Kind) -> State:
    """Return the thing that nobody has said anything about; its id is still empty."""
    state: State = {field.name: field.empty for field in FIELDS[kind]}
    return {**state, "id": "", "declared": None, "written": {}, "lifecycle": "planned", "lifecycle_at": None}


def register(kind: Kind, key: str, fields: Mapping[str, Any], known: Known) -> State:
    """Return a new, planned site or device. One name serves for both languages. Raises Faults."""
    try:
        check_id(kind, key)
    except Fault as fault:
        raise Faults([("id", fault)]) from fault
    given = {name: value for name, value in fields.items() if value is not None}
    copied = ""
    for name, other in (("name_zh", "name_en"), ("name_en", "name_zh")):
        if not given.get(name) and given.get(other):
            given[name] = given[other]
            copied = name
    try:
        return {**amend(kind, blank(kind), given, known), "id": key}
    except Faults as error:
        raise Faults([(name, fault) for name, fault in error.faults if name != copied]) from None


def check_id(kind: Kind, key: str) -> None:
    """Raise Fault for an id that no new thing of the kind can have."""
    if kind == "site" and not SITE_ID.fullmatch(key):
        raise Fault(
            f"{key!r} 不是站点编号；请用小写字母、数字、- 和 _，最多 63 个",
            f"{key!r} is no site id; use at most 63 lower-case letters, digits, - and _",
        )
    if kind == "device" and not DEVICE_ID.fullmatch(key):
        raise Fault(
            f"{key!r} 不是设备编号；应为 网关.设备，如 gw-north.pump1",
            f"{key!r} is no device id; write gateway.device, such as gw-north.pump1",
        )
    if kind in {"gateway", "point"}:
        raise Fault(
            f"没有 {key!r}；网关在网关页接入，测点由网关申报",
            f"there is no {kind} {key!r}; a gateway is enrolled on its page, points are declared by gateways",
        )


def difference(kind: Kind, before: State, after: State) -> tuple[dict[str, Any], dict[str, Any]]:
    """Return the fields that changed, as they were and as they are; people's numbers and addresses masked."""
    names = [field.name for field in FIELDS[kind]] + ["lifecycle"]
    changed = [name for name in names if before.get(name) != after.get(name)]
    changed += [
        f"written.{name}"
        for name in sorted(before["written"].keys() | after["written"].keys())
        if before["written"].get(name) != after["written"].get(name) and name not in changed
    ]
    return _pick(before, changed), _pick(after, changed)


def _pick(state: State, names: list[str]) -> dict[str, Any]:
    picked: dict[str, Any] = {}
    for name in names:
        if name.startswith("written."):
            picked[name] = state["written"].get(name.removeprefix("written."))
        else:
            picked[name] = [_masked(item) for item in state[name]] if name == "contacts" else state.get(name)
    return picked


def _masked(contact: Mapping[str, str]) -> dict[str, str]:
    """Keep who it was; of the phone number the end, of the address the house."""
    phone, email = contact.get("phone", ""), contact.get("email", "")
    return {
        **contact,
        "phone": f"…{phone[-2:]}" if phone else "",
        "email": f"…@{email.partition('@')[2]}" if email else "",
    }
