"""Cameras by HTTP snapshot: picture (what it looks like), driver (fetching it)."""

from protocols.field.camera.driver import CameraDriver, CameraParams, CameraSettings

__all__ = ["CameraDriver", "CameraParams", "CameraSettings"]
