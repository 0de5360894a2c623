"""Where an occurrence stands at its gateway, as that last told it: what the centre goes back to.

NULL: told by a gateway that does not say it, or before this column was.
"""

from __future__ import annotations

from alembic import op

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Make the columns."""
    op.execute("ALTER TABLE alarms ADD told_state text, ADD told_overlays text[] NOT NULL DEFAULT '{}'")


def downgrade() -> None:
    """Drop them: the next step of the gateway then corrects, as before."""
    op.execute("ALTER TABLE alarms DROP told_state, DROP told_overlays")
