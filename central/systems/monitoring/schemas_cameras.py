"""Cameras as the API shows them: how each is, its newest picture, evidence of alarms."""

from __future__ import annotations

from datetime import datetime
from typing import Literal

from pydantic import Field

from central.kernel.shapes import Name, Shape
from central.link.schemas import Order
from central.live.snapshots import SnapshotView

CameraState = Literal["live", "fault", "offline", "unknown"]
SnapshotCause = Literal["alarm", "order", "wall"]
SnapshotMoment = Literal["", "before", "at"]


class Snapshot(Shape):
    """A picture of a camera, without its bytes: those are at `/snapshots/{id}/image`."""

    id: str
    camera: str
    taken_at: datetime = Field(description="the gateway's clock as the picture came from the camera")
    received_at: datetime = Field(description="when the centre had committed it")
    age_s: float = Field(description="now minus taken_at, seconds, as of the answer")
    cause: SnapshotCause = Field(
        description="alarm: evidence; order: somebody asked for it; wall: the camera's rhythm"
    )
    moment: SnapshotMoment = Field(
        description="of evidence: the last picture before the alarm, or the one taken at it"
    )
    sha256: str = Field(description="of the picture's bytes, hexadecimal, as the gateway sent them")
    size: int = Field(description="bytes")

    @classmethod
    def of(cls, view: SnapshotView, now: datetime) -> Snapshot:
        """Show one."""
        return cls.model_validate(
            {
                "id": str(view.id),
                "camera": view.camera,
                "taken_at": view.taken_at,
                "received_at": view.received_at,
                "age_s": max(0.0, (now - view.taken_at).total_seconds()),
                "cause": view.cause,
                "moment": view.moment,
                "sha256": view.sha256,
                "size": view.size,
            }
        )


class Camera(Shape):
    """A camera, how it is, and its newest picture."""

    id: str = Field(description="`gateway.device`")
    name: Name
    site: str
    site_name: Name
    district: str
    gateway: str
    lon: float = Field(description="degrees, WGS 84; its own place, or where its site is")
    lat: float = Field(description="degrees, WGS 84")
    state: CameraState = Field(
        description="live: it answers with pictures; fault: it answers without; offline: it, or its gateway, "
        "is not reached; unknown: no gateway reads it"
    )
    since: datetime | None = Field(description="newest source time of its points")
    takes: bool = Field(description="its gateway takes pictures when it is asked")
    snapshot: Snapshot | None = Field(description="the newest; null: none came yet, or its time is over")


class CameraPage(Shape):
    """The cameras within sight, by district, site and name."""

    items: list[Camera]


class NearbyCamera(Camera):
    """A camera near another one."""

    distance_m: float = Field(description="along the ground, metres")


class CameraDetail(Camera):
    """A camera with its last pictures and its neighbours."""

    snapshots: list[Snapshot] = Field(description="the last 24, the newest first")
    near: list[NearbyCamera] = Field(description="the six nearest cameras, the nearest first")
    asked: Order | None = Field(description="the last order for a picture of it in ten minutes")


class EvidenceOf(Shape):
    """What one camera saw of an alarm."""

    camera: str
    name: Name
    distance_m: float | None = Field(description="from the alarm's device, metres; null: nobody knows where")
    neighbour: bool = Field(description="it hangs on another gateway, and the centre asked it")
    snapshots: list[Snapshot] = Field(description="in the order they were taken: before, then at it")


class EvidenceAsked(Shape):
    """The camera of another gateway that the centre asked, as the alarm's own gateway took no picture."""

    camera: str
    name: Name
    distance_m: float | None = Field(description="from the alarm's device, metres; null: nobody knows where")
    order: Order = Field(description="what became of it; its picture is in `items` when it has come")


class Evidence(Shape):
    """The pictures that were taken for an alarm, by camera, the nearest first."""

    items: list[EvidenceOf]
    asked: EvidenceAsked | None = Field(description="null: nobody was asked, or a camera out of sight")
