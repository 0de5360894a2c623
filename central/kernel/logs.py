"""Logs: one JSON object per line on standard error, from structlog and from libraries alike.

What a request causes carries its `request_id`, which its answer has as `X-Request-Id` and the audit trail
keeps. Secrets are taken out at the end (`kernel/redact.py`).
"""

from __future__ import annotations

import logging
import sys

import structlog
from structlog.typing import Processor

from central.kernel.redact import redact

QUIET = ("uvicorn.access", "psycopg.pool", "alembic", "httpx2", "asyncio")


def configure(level: str) -> None:
    """Send every log line of this process, at `level` (debug, info, warning, error) or above."""
    shared: list[Processor] = [
        structlog.contextvars.merge_contextvars,
        structlog.stdlib.add_log_level,
        structlog.stdlib.add_logger_name,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
    ]
    structlog.configure(
        processors=[*shared, structlog.stdlib.ProcessorFormatter.wrap_for_formatter],
        logger_factory=structlog.stdlib.LoggerFactory(),
        wrapper_class=structlog.stdlib.BoundLogger,
        cache_logger_on_first_use=True,
    )
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=shared,
            processors=[
                structlog.stdlib.ProcessorFormatter.remove_processors_meta,
                structlog.processors.format_exc_info,
                redact,
                structlog.processors.JSONRenderer(ensure_ascii=False),
            ],
        )
    )
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(level.upper())
    for name in QUIET:
        logging.getLogger(name).setLevel(max(logging.WARNING, root.level))
