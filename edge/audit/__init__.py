"""The audit trail of a gateway: `Audit` writes it, `verify` proves it."""

from __future__ import annotations

from edge.audit.proof import Proof, verify
from edge.audit.trail import Audit, AuditEntry, entries

__all__ = ["Audit", "AuditEntry", "Proof", "entries", "verify"]
