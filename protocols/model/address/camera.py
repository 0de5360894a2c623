"""A camera's address: one of its health figures."""

from __future__ import annotations

from typing import ClassVar, Literal

from protocols.model.address.base import Address


class CameraAddress(Address):
    """Which health figure of the camera the point shows."""

    params: ClassVar = {"path": "/cam/01/snapshot.jpg", "stream": "/cam/01/stream"}

    measure: Literal[
        "online", "level", "cause", "latency_ms",
        "frame_age_s", "frame_bytes", "brightness", "exposure", "frozen", "black",
        "sharpness", "blurred", "likeness", "covered", "moved", "relearn",
        "first_packet_ms", "key_frame_ms", "key_frame_bytes", "fps", "kbps", "loss_percent",
        "clock_offset_s", "preset", "events", "motion", "tamper", "signal_loss", "digital_input",
        "fan_failure", "power_failure", "storage_failure", "temperature_critical",
    ]  # fmt: skip
