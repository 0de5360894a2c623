"""Registry: what people write beside what gateways declare, lifecycle, its history, and attachments.

The columns that were there hold what is in force: what people wrote, else what was declared. `declared`
keeps the gateway's own words (null: none has declared it), `written` those of people that stand over them.
"""

from __future__ import annotations

from alembic import op

revision = "0007"
down_revision = "0006"
branch_labels = None
depends_on = None

HUMAN = """
ALTER TABLE {table}
    ADD declared jsonb, ADD written jsonb NOT NULL DEFAULT '{{}}',
    ADD tags text[] NOT NULL DEFAULT '{{}}', ADD note text NOT NULL DEFAULT ''
"""

PLACED = """
ALTER TABLE {table}
    ADD grid_cell text NOT NULL DEFAULT '', ADD contacts jsonb NOT NULL DEFAULT '[]',
    ADD lifecycle text NOT NULL DEFAULT 'active' CONSTRAINT ck_{table}_lifecycle
        CHECK (lifecycle IN ('planned', 'active', 'maintenance', 'retired')),
    ADD lifecycle_at timestamptz
"""

OWN = """
ALTER TABLE sites ADD address text NOT NULL DEFAULT '';
ALTER TABLE devices ADD lon double precision, ADD lat double precision, ADD serial text NOT NULL DEFAULT '';
ALTER TABLE gateways ADD lon double precision, ADD lat double precision,
    ADD site text CONSTRAINT fk_gateways_site_sites REFERENCES sites;
CREATE INDEX ix_gateways_site ON gateways (site);
UPDATE sites SET declared = jsonb_build_object('name_zh', name_zh, 'name_en', name_en, 'kind', kind,
    'district', district, 'lon', lon, 'lat', lat);
UPDATE devices SET declared = jsonb_build_object('name_zh', name_zh, 'name_en', name_en, 'kind', kind,
    'vendor', vendor, 'model', model);
UPDATE gateways SET declared = jsonb_build_object('name_zh', name_zh, 'name_en', name_en)
    WHERE declaration IS NOT NULL;
UPDATE points SET declared = jsonb_build_object('name_zh', name_zh, 'name_en', name_en);
"""

BOOKS = """
CREATE TABLE registry_changes (
    number bigint GENERATED ALWAYS AS IDENTITY CONSTRAINT pk_registry_changes PRIMARY KEY,
    at timestamptz NOT NULL, actor text NOT NULL,
    kind text NOT NULL, thing text NOT NULL, action text NOT NULL,
    before jsonb NOT NULL, after jsonb NOT NULL, reason text NOT NULL
);
CREATE INDEX ix_registry_changes_kind_thing ON registry_changes (kind, thing, number);
CREATE TRIGGER append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON registry_changes
    FOR EACH STATEMENT EXECUTE FUNCTION append_only();
CREATE TABLE attachments (
    id text CONSTRAINT pk_attachments PRIMARY KEY,
    kind text NOT NULL, thing text NOT NULL,
    name text NOT NULL, media_type text NOT NULL, size integer NOT NULL, sha256 text NOT NULL,
    note text NOT NULL, created_at timestamptz NOT NULL, created_by text NOT NULL,
    content bytea NOT NULL
);
CREATE INDEX ix_attachments_kind_thing ON attachments (kind, thing);
ALTER TABLE attachments ALTER content SET STORAGE EXTERNAL;
"""

DROP = """
DROP TABLE attachments, registry_changes;
DROP INDEX ix_gateways_site;
ALTER TABLE sites DROP address;
ALTER TABLE devices DROP lon, DROP lat, DROP serial;
ALTER TABLE gateways DROP lon, DROP lat, DROP site;
"""

EVERY = ("sites", "gateways", "devices", "points")
WITH_PLACE = ("sites", "gateways", "devices")


def upgrade() -> None:
    """Make the tables and columns; what is there was declared."""
    for table in EVERY:
        op.execute(HUMAN.format(table=table))
    for table in WITH_PLACE:
        op.execute(PLACED.format(table=table))
    op.execute(OWN)
    op.execute(BOOKS)


def downgrade() -> None:
    """Drop them, with everything that people wrote."""
    op.execute(DROP)
    for table in WITH_PLACE:
        op.execute(f"ALTER TABLE {table} DROP grid_cell, DROP contacts, DROP lifecycle, DROP lifecycle_at")
    for table in EVERY:
        op.execute(f"ALTER TABLE {table} DROP declared, DROP written, DROP tags, DROP note")
