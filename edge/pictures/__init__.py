"""Pictures of cameras on their way to the centre: when one is taken, of which camera, how large it may be."""

from edge.pictures.taker import Pictures

__all__ = ["Pictures"]
