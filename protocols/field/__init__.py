"""Drivers: one module or package per protocol, all behind the seam in `base`."""
