"""Alarm desk: comments, assignment, maintenance windows, suppression, folding, saved views."""

from __future__ import annotations

revision = "0008"
down_revision = "0007"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Make the tables."""


def downgrade() -> None:
    """Drop them, with everything in them."""
