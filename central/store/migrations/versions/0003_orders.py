"""What the centre wants of gateways, and what they say: orders, status, configurations, packages.

Commands keep their table: screens ask for them by point. An order shares their counter, so that a
gateway's inbox is one sequence.
"""

from __future__ import annotations

from alembic import op

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None

ORDERS = """
CREATE TABLE orders (
    id text CONSTRAINT pk_orders PRIMARY KEY,
    gateway text NOT NULL CONSTRAINT fk_orders_gateway_gateways REFERENCES gateways,
    number bigint NOT NULL,
    kind text NOT NULL CONSTRAINT ck_orders_kind CHECK (kind IN ('alarm', 'config', 'rotate', 'update')),
    subject text NOT NULL, body jsonb NOT NULL,
    state text NOT NULL,
    issued_at timestamptz NOT NULL, issued_by text NOT NULL,
    expires_at timestamptz NOT NULL, answer_by timestamptz NOT NULL,
    delivered_at timestamptz, finished_at timestamptz,
    reason text NOT NULL, detail text NOT NULL
);
CREATE UNIQUE INDEX uq_orders_number ON orders (gateway, number);
CREATE INDEX ix_orders_waiting ON orders (gateway, number) WHERE finished_at IS NULL;
CREATE INDEX ix_orders_issued ON orders (gateway, issued_at, id);
"""

STATUS = """
CREATE TABLE gateway_status (
    gateway text CONSTRAINT pk_gateway_status PRIMARY KEY
        CONSTRAINT fk_gateway_status_gateway_gateways REFERENCES gateways,
    body jsonb NOT NULL, received_at timestamptz NOT NULL,
    audit_warning text NOT NULL DEFAULT '', audit_warned_at timestamptz, audit_since timestamptz
);
CREATE TABLE audit_heads (
    gateway text NOT NULL CONSTRAINT fk_audit_heads_gateway_gateways REFERENCES gateways,
    seen_at timestamptz NOT NULL,
    count bigint NOT NULL, digest text NOT NULL,
    CONSTRAINT pk_audit_heads PRIMARY KEY (gateway, seen_at)
);
CREATE TABLE gateway_configs (
    gateway text NOT NULL CONSTRAINT fk_gateway_configs_gateway_gateways REFERENCES gateways,
    digest text NOT NULL,
    text text NOT NULL, profiles jsonb NOT NULL, masked integer NOT NULL,
    received_at timestamptz NOT NULL,
    CONSTRAINT pk_gateway_configs PRIMARY KEY (gateway, digest)
);
"""

PACKAGES = """
CREATE TABLE packages (
    id text CONSTRAINT pk_packages PRIMARY KEY,
    version text NOT NULL CONSTRAINT uq_packages_version UNIQUE,
    file_name text NOT NULL, size integer NOT NULL, sha256 text NOT NULL, signature text NOT NULL,
    content bytea NOT NULL,
    staged_at timestamptz NOT NULL, staged_by text NOT NULL
);
"""

TOKENS = """
ALTER TABLE gateways
    ADD next_token_hash text CONSTRAINT uq_gateways_next_token_hash UNIQUE,
    ADD token_at timestamptz;
UPDATE gateways SET token_at = enrolled_at;
"""

COMMANDS = """
ALTER TABLE commands ALTER number DROP NOT NULL, ADD step text NOT NULL DEFAULT 'direct';
"""
"""What a gateway did by itself has no number in its inbox."""

DROP = """
DELETE FROM commands WHERE number IS NULL;
ALTER TABLE commands ALTER number SET NOT NULL, DROP step;
ALTER TABLE gateways DROP next_token_hash, DROP token_at;
DROP TABLE packages, gateway_configs, audit_heads, gateway_status, orders;
"""


def upgrade() -> None:
    """Make the tables."""
    op.execute(ORDERS)
    op.execute(STATUS)
    op.execute(PACKAGES)
    op.execute(TOKENS)
    op.execute(COMMANDS)


def downgrade() -> None:
    """Drop them, with everything in them."""
    op.execute(DROP)
