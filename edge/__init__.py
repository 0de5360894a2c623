"""The gateway: polls devices, judges alarms, keeps every reading, and forwards it to the centre."""

from __future__ import annotations

import sys

if "structlog" not in sys.modules and "rich" not in sys.modules:
    # structlog loads rich, where it is installed, for coloured tracebacks: four megabytes never shown here.
    sys.modules["rich"] = None  # type: ignore[assignment]
    try:
        import structlog  # noqa: F401
    finally:
        del sys.modules["rich"]
