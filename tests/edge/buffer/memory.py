"""A folder in memory for tests of thousands of syncs, which would take minutes on a shared disk."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

_MEMORY: Final = Path("/dev/shm")  # noqa: S108 - the folder in it has a name of its own
_AMPLE: Final = 32 << 20
"""Free bytes of memory that several logs of two megabytes, each with its reserve, never fill at once."""


@contextmanager
def in_memory() -> Iterator[Path]:
    """Make a folder in memory where that is ample: a container may have none, or one that others fill."""
    with tempfile.TemporaryDirectory(dir=_MEMORY if _ample() else None) as made:
        yield Path(made)


def _ample() -> bool:
    if not os.access(_MEMORY, os.W_OK):
        return False
    memory = os.statvfs(_MEMORY)
    return memory.f_bavail * memory.f_frsize >= _AMPLE
