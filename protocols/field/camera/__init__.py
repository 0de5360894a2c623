"""Cameras by HTTP snapshot, RTSP stream and ONVIF.

driver ─→ snapshot, picture, measures (what it looks like) ─→ watched, ladder (how far up it is)
       ─→ stream ─→ rtsp, rtsp_wire, challenge, sdp, datagrams (the session) ─→ rtp, frames, jpeg, decoding
discovery, scan: finding cameras
"""

from protocols.field.camera.driver import CameraDriver
from protocols.field.camera.settings import CameraParams, CameraSettings

__all__ = ["CameraDriver", "CameraParams", "CameraSettings"]
