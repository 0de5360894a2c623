"""Views: saved trends and wall layouts."""

from __future__ import annotations

from alembic import op

revision = "0011"
down_revision = "0010"
branch_labels = None
depends_on = None

TRENDS = """
CREATE TABLE trend_views (
    id text CONSTRAINT pk_trend_views PRIMARY KEY,
    owner text NOT NULL, name text NOT NULL, shared boolean NOT NULL,
    points text[] NOT NULL,
    span_s double precision, from_at timestamptz, to_at timestamptz,
    options jsonb NOT NULL, changed_at timestamptz NOT NULL,
    CONSTRAINT uq_trend_views_owner_name UNIQUE (owner, name)
);
"""


def upgrade() -> None:
    """Make the tables."""
    op.execute(TRENDS)


def downgrade() -> None:
    """Drop them, with everything in them."""
    op.execute("DROP TABLE trend_views")
