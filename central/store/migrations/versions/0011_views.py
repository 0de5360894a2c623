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


WALL = """
CREATE TABLE wall_layouts (
    id text NOT NULL, version integer NOT NULL,
    name_zh text NOT NULL, name_en text NOT NULL, body jsonb,
    saved_at timestamptz NOT NULL, saved_by text NOT NULL,
    CONSTRAINT pk_wall_layouts PRIMARY KEY (id, version)
);
CREATE TABLE wall_screens (
    id text CONSTRAINT pk_wall_screens PRIMARY KEY,
    name text NOT NULL, layout text NOT NULL,
    areas text[] NOT NULL DEFAULT '{}', departments text[] NOT NULL DEFAULT '{}',
    digest bytea CONSTRAINT uq_wall_screens_digest UNIQUE,
    link_digest bytea CONSTRAINT uq_wall_screens_link_digest UNIQUE,
    link_until timestamptz,
    created_at timestamptz NOT NULL, created_by text NOT NULL,
    linked_at timestamptz, seen_at timestamptz
);
"""

DROP_WALL = "DROP TABLE wall_layouts, wall_screens;"


def upgrade() -> None:
    """Make the tables."""
    op.execute(TRENDS)
    op.execute(WALL)


def downgrade() -> None:
    """Drop them, with everything in them."""
    op.execute("DROP TABLE trend_views")
    op.execute(DROP_WALL)
