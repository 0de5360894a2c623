"""Evidence of an alarm by another gateway's camera: which alarm, which camera, by which order."""

from __future__ import annotations

from alembic import op

revision = "0016"
down_revision = "0015"
branch_labels = None
depends_on = None

TABLE = """
CREATE TABLE evidence_orders (
    alarm text CONSTRAINT pk_evidence_orders PRIMARY KEY
        CONSTRAINT fk_evidence_orders_alarm_alarms REFERENCES alarms,
    order_id text NOT NULL,
    camera text NOT NULL,
    asked_at timestamptz NOT NULL
);
CREATE INDEX ix_evidence_orders_order_id ON evidence_orders (order_id);
CREATE INDEX ix_evidence_orders_asked_at ON evidence_orders (asked_at);
"""


def upgrade() -> None:
    """Make the table. A centre of before asks for none, and does not miss it."""
    op.execute(TABLE)


def downgrade() -> None:
    """Drop it; the pictures stay, and are evidence as before."""
    op.execute("DROP TABLE evidence_orders")
