"""People and their work: accounts, sessions, tokens, audit; units, events, cases, tasks.

The journals are append-only in the database as well; only their owner could switch the triggers off,
and the hash chains would still show it.
"""

from __future__ import annotations

from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None

SECURITY = """
CREATE TABLE users (
    username text CONSTRAINT pk_users PRIMARY KEY,
    display_name text NOT NULL,
    role text NOT NULL CONSTRAINT ck_users_role CHECK (role IN ('viewer', 'operator', 'admin')),
    password_hash text NOT NULL, disabled boolean NOT NULL DEFAULT false,
    created_at timestamptz NOT NULL, last_sign_in_at timestamptz
);
CREATE TABLE sessions (
    digest bytea CONSTRAINT pk_sessions PRIMARY KEY,
    username text NOT NULL CONSTRAINT fk_sessions_username_users REFERENCES users ON DELETE CASCADE,
    created_at timestamptz NOT NULL, seen_at timestamptz NOT NULL, expires_at timestamptz NOT NULL,
    address text NOT NULL
);
CREATE INDEX ix_sessions_username ON sessions (username);
CREATE INDEX ix_sessions_expires_at ON sessions (expires_at);
CREATE TABLE api_tokens (
    id text CONSTRAINT pk_api_tokens PRIMARY KEY,
    digest bytea NOT NULL CONSTRAINT uq_api_tokens_digest UNIQUE,
    name text NOT NULL,
    username text NOT NULL CONSTRAINT fk_api_tokens_username_users REFERENCES users ON DELETE CASCADE,
    role text NOT NULL CONSTRAINT ck_api_tokens_role CHECK (role IN ('viewer', 'operator', 'admin')),
    created_at timestamptz NOT NULL, expires_at timestamptz, used_at timestamptz
);
CREATE INDEX ix_api_tokens_username ON api_tokens (username);
CREATE TABLE audit (
    number bigint GENERATED ALWAYS AS IDENTITY CONSTRAINT pk_audit PRIMARY KEY,
    at timestamptz NOT NULL,
    actor text NOT NULL, via text NOT NULL,
    operation text NOT NULL, method text NOT NULL, path text NOT NULL, status integer NOT NULL,
    address text NOT NULL,
    prev_hash bytea NOT NULL, hash bytea NOT NULL
);
CREATE INDEX ix_audit_at ON audit (at);
"""

CASEBOOK = """
CREATE TABLE units (
    id text CONSTRAINT pk_units PRIMARY KEY,
    name_zh text NOT NULL, name_en text NOT NULL, kind text NOT NULL
);
CREATE TABLE day_numbers (
    kind text NOT NULL, day text NOT NULL, last integer NOT NULL,
    CONSTRAINT pk_day_numbers PRIMARY KEY (kind, day)
);
CREATE TABLE events (
    id text CONSTRAINT pk_events PRIMARY KEY,
    number text NOT NULL CONSTRAINT uq_events_number UNIQUE,
    title_zh text NOT NULL, title_en text NOT NULL,
    site text NOT NULL, device text NOT NULL, category text NOT NULL,
    level text NOT NULL, state text NOT NULL,
    opened_at timestamptz NOT NULL, closed_at timestamptz, closed_by text,
    closing_note text NOT NULL DEFAULT '', case_id text
);
CREATE INDEX ix_events_open ON events (site, category) WHERE state <> 'closed';
CREATE INDEX ix_events_opened ON events (opened_at, id);
CREATE TABLE event_alarms (
    alarm text CONSTRAINT pk_event_alarms PRIMARY KEY,
    event_id text NOT NULL CONSTRAINT fk_event_alarms_event_id_events REFERENCES events,
    rule text NOT NULL, name_zh text NOT NULL, name_en text NOT NULL,
    point text NOT NULL, device text NOT NULL, priority text NOT NULL, raised_at timestamptz NOT NULL
);
CREATE INDEX ix_event_alarms_event_id ON event_alarms (event_id);
CREATE TABLE cases (
    id text CONSTRAINT pk_cases PRIMARY KEY,
    number text NOT NULL CONSTRAINT uq_cases_number UNIQUE,
    title_zh text NOT NULL, title_en text NOT NULL, description text NOT NULL,
    state text NOT NULL, priority text NOT NULL, category text NOT NULL, site text,
    event_id text CONSTRAINT uq_cases_event_id UNIQUE CONSTRAINT fk_cases_event_id_events REFERENCES events,
    unit text CONSTRAINT fk_cases_unit_units REFERENCES units,
    opened_at timestamptz NOT NULL, opened_by text NOT NULL,
    due_at timestamptz NOT NULL, closed_at timestamptz,
    reworks integer NOT NULL, chain bytea NOT NULL
);
CREATE INDEX ix_cases_state ON cases (state);
CREATE INDEX ix_cases_opened ON cases (opened_at, id);
CREATE TABLE case_steps (
    case_id text NOT NULL CONSTRAINT fk_case_steps_case_id_cases REFERENCES cases,
    number integer NOT NULL,
    at timestamptz NOT NULL,
    actor text NOT NULL, action text NOT NULL,
    state_before text, state_after text NOT NULL,
    unit text, task text, comment text NOT NULL,
    prev_hash bytea NOT NULL, hash bytea NOT NULL,
    CONSTRAINT pk_case_steps PRIMARY KEY (case_id, number)
);
CREATE TABLE tasks (
    id text CONSTRAINT pk_tasks PRIMARY KEY,
    case_id text NOT NULL CONSTRAINT fk_tasks_case_id_cases REFERENCES cases,
    number integer NOT NULL,
    unit text NOT NULL CONSTRAINT fk_tasks_unit_units REFERENCES units,
    state text NOT NULL, round integer NOT NULL,
    due_at timestamptz NOT NULL, assigned_at timestamptz NOT NULL,
    accepted_at timestamptz, on_site_at timestamptz, done_at timestamptz,
    verified_at timestamptz, refused_at timestamptz
);
CREATE INDEX ix_tasks_case_id ON tasks (case_id);
CREATE INDEX ix_tasks_unit ON tasks (unit);
CREATE INDEX ix_tasks_state ON tasks (state);
"""

APPEND_ONLY = """
CREATE FUNCTION append_only() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION '% is append-only: % is not possible', TG_TABLE_NAME, TG_OP;
END $$;
CREATE TRIGGER append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON case_steps
    FOR EACH STATEMENT EXECUTE FUNCTION append_only();
CREATE TRIGGER append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON audit
    FOR EACH STATEMENT EXECUTE FUNCTION append_only();
"""

DROP = """
DROP TABLE tasks, case_steps, cases, event_alarms, events, day_numbers, units,
    audit, api_tokens, sessions, users;
DROP FUNCTION append_only;
"""


def upgrade() -> None:
    """Make the tables."""
    op.execute(SECURITY)
    op.execute(CASEBOOK)
    op.execute(APPEND_ONLY)


def downgrade() -> None:
    """Drop them, with everything in them."""
    op.execute(DROP)
