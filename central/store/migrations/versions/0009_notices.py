"""Notices: channels, templates, deliveries, webhooks, and the queue of jobs.

A trigger notes each step of an alarm in `alarm_tells`, in the step's own transaction: nobody needs to have
listened when it was committed, a version beside this one need not know of it, and no number can be missed
that was given early and committed late.
"""

from __future__ import annotations

from alembic import op

revision = "0009"
down_revision = "0008"
branch_labels = None
depends_on = None

JOBS = """
CREATE TABLE jobs (
    id bigint GENERATED ALWAYS AS IDENTITY CONSTRAINT pk_jobs PRIMARY KEY,
    kind text NOT NULL, key text NOT NULL, lane text NOT NULL,
    state text NOT NULL DEFAULT 'waiting' CONSTRAINT ck_jobs_state CHECK (state IN ('waiting', 'dead')),
    attempts integer NOT NULL DEFAULT 0, holder text NOT NULL DEFAULT '',
    next_at timestamptz NOT NULL, made_at timestamptz NOT NULL, error text NOT NULL DEFAULT '',
    CONSTRAINT uq_jobs_kind_key UNIQUE (kind, key)
);
CREATE INDEX ix_jobs_due ON jobs (next_at) WHERE state = 'waiting';
"""

SETTINGS = """
CREATE TABLE notice_items (
    id bigint GENERATED ALWAYS AS IDENTITY CONSTRAINT pk_notice_items PRIMARY KEY,
    kind text NOT NULL CONSTRAINT ck_notice_items_kind
        CHECK (kind IN ('channel', 'subscription', 'escalation', 'webhook')),
    name text NOT NULL, enabled boolean NOT NULL, body jsonb NOT NULL,
    secrets bytea, secret_names text[] NOT NULL DEFAULT '{}',
    made_at timestamptz NOT NULL, changed_at timestamptz NOT NULL, changed_by text NOT NULL,
    CONSTRAINT uq_notice_items_kind_name UNIQUE (kind, name)
);
CREATE TABLE notice_templates (
    name text NOT NULL, lang text NOT NULL, subject text NOT NULL, body text NOT NULL, short text NOT NULL,
    changed_at timestamptz NOT NULL, changed_by text NOT NULL,
    CONSTRAINT pk_notice_templates PRIMARY KEY (name, lang)
);
CREATE TABLE webhook_health (
    webhook bigint CONSTRAINT pk_webhook_health PRIMARY KEY
        CONSTRAINT fk_webhook_health_webhook_notice_items REFERENCES notice_items ON DELETE CASCADE,
    failing_since timestamptz, last_sent_at timestamptz, disabled_at timestamptz,
    disabled_why text NOT NULL DEFAULT ''
);
"""

DELIVERIES = """
CREATE TABLE deliveries (
    id text CONSTRAINT pk_deliveries PRIMARY KEY,
    source text NOT NULL CONSTRAINT uq_deliveries_source UNIQUE,
    kind text NOT NULL CONSTRAINT ck_deliveries_kind CHECK (kind IN ('notice', 'webhook')),
    item bigint NOT NULL, item_name text NOT NULL, rule bigint, rule_name text NOT NULL DEFAULT '',
    event text NOT NULL, alarm text, site text, priority text, step integer,
    recipient text NOT NULL, lang text NOT NULL DEFAULT '',
    subject text NOT NULL, body text NOT NULL,
    state text NOT NULL CONSTRAINT ck_deliveries_state
        CHECK (state IN ('waiting', 'held', 'digested', 'sent', 'refused', 'given_up')),
    digest text, made_at timestamptz NOT NULL, ended_at timestamptz
);
CREATE INDEX ix_deliveries_made ON deliveries (made_at, id);
CREATE INDEX ix_deliveries_alarm ON deliveries (alarm, made_at) WHERE alarm IS NOT NULL;
CREATE INDEX ix_deliveries_item ON deliveries (item, made_at);
CREATE INDEX ix_deliveries_held ON deliveries (item, recipient) WHERE state = 'held';
CREATE TABLE delivery_attempts (
    id bigint GENERATED ALWAYS AS IDENTITY CONSTRAINT pk_delivery_attempts PRIMARY KEY,
    delivery text NOT NULL CONSTRAINT fk_delivery_attempts_delivery_deliveries
        REFERENCES deliveries ON DELETE CASCADE,
    at timestamptz NOT NULL, outcome text NOT NULL, answer text NOT NULL, took_ms integer NOT NULL
);
CREATE INDEX ix_delivery_attempts_delivery ON delivery_attempts (delivery, id);
"""

ESCALATIONS = """
CREATE TABLE alarm_escalations (
    id bigint GENERATED ALWAYS AS IDENTITY CONSTRAINT pk_alarm_escalations PRIMARY KEY,
    rule bigint NOT NULL, rule_name text NOT NULL,
    alarm text NOT NULL CONSTRAINT fk_alarm_escalations_alarm_alarms REFERENCES alarms,
    started_at timestamptz NOT NULL, fired integer NOT NULL DEFAULT 0,
    last_step integer, last_at timestamptz, next_at timestamptz,
    ended_at timestamptz, ended_why text NOT NULL DEFAULT ''
);
CREATE UNIQUE INDEX uq_alarm_escalations_now ON alarm_escalations (rule, alarm) WHERE ended_at IS NULL;
CREATE INDEX ix_alarm_escalations_due ON alarm_escalations (next_at) WHERE ended_at IS NULL;
CREATE INDEX ix_alarm_escalations_alarm ON alarm_escalations (alarm);
"""

TELLS = """
CREATE TABLE alarm_tells (
    id bigint GENERATED ALWAYS AS IDENTITY CONSTRAINT pk_alarm_tells PRIMARY KEY,
    alarm text NOT NULL, entry bigint NOT NULL
);
CREATE FUNCTION note_alarm_tell() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO alarm_tells (alarm, entry) VALUES (NEW.alarm, NEW.id);
    RETURN NULL;
END $$;
CREATE TRIGGER tell AFTER INSERT ON alarm_journal FOR EACH ROW EXECUTE FUNCTION note_alarm_tell();
"""

DROP = """
DROP TRIGGER tell ON alarm_journal;
DROP FUNCTION note_alarm_tell;
DROP TABLE alarm_tells, alarm_escalations, delivery_attempts, deliveries, webhook_health, notice_templates,
    notice_items, jobs;
"""


def upgrade() -> None:
    """Make the tables."""
    for statements in (JOBS, SETTINGS, DELIVERIES, ESCALATIONS, TELLS):
        op.execute(statements)


def downgrade() -> None:
    """Drop them, with everything in them."""
    op.execute(DROP)
