"""Access: grants of roles over areas and departments, second factors, identities, audit of what changed.

`users.role` and `api_tokens.role` stay for a centre of the version before that runs beside this one during an
upgrade. It knows no areas, so what it cannot express is '' there: it then refuses the account or token. It
leaves `narrowed` NULL, and writes audit entries too: a trigger counts them.
"""

from __future__ import annotations

from alembic import op

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None

GRANTS = """
CREATE TABLE departments (
    id text CONSTRAINT pk_departments PRIMARY KEY, name_zh text NOT NULL, name_en text NOT NULL
);
ALTER TABLE sites ADD department text NOT NULL DEFAULT '';
CREATE TABLE roles (
    id text CONSTRAINT pk_roles PRIMARY KEY, name_zh text NOT NULL, name_en text NOT NULL,
    permissions text[] NOT NULL
);
CREATE TABLE grants (
    number bigint GENERATED ALWAYS AS IDENTITY CONSTRAINT pk_grants PRIMARY KEY,
    username text NOT NULL CONSTRAINT fk_grants_username_users REFERENCES users ON DELETE CASCADE,
    role text NOT NULL,
    areas text[] NOT NULL DEFAULT '{}', departments text[] NOT NULL DEFAULT '{}'
);
CREATE INDEX ix_grants_username ON grants (username);
INSERT INTO grants (username, role) SELECT username, role FROM users ORDER BY username;
ALTER TABLE users DROP CONSTRAINT ck_users_role, ALTER role SET DEFAULT '';
ALTER TABLE api_tokens DROP CONSTRAINT ck_api_tokens_role, ALTER role SET DEFAULT '',
    ADD narrowed text,
    ADD areas text[] NOT NULL DEFAULT '{}', ADD departments text[] NOT NULL DEFAULT '{}';
"""

ACCOUNTS = """
ALTER TABLE users ADD service boolean NOT NULL DEFAULT false,
    ADD owner text CONSTRAINT fk_users_owner_users REFERENCES users;
ALTER TABLE sessions ADD agent text NOT NULL DEFAULT '', ADD proof text NOT NULL DEFAULT 'password';
CREATE TABLE sign_in_failures (
    number bigint GENERATED ALWAYS AS IDENTITY CONSTRAINT pk_sign_in_failures PRIMARY KEY,
    username text NOT NULL, address text NOT NULL, at timestamptz NOT NULL
);
CREATE INDEX ix_sign_in_failures_address_at ON sign_in_failures (address, at);
CREATE INDEX ix_sign_in_failures_username_at ON sign_in_failures (username, at);
CREATE INDEX ix_sign_in_failures_at ON sign_in_failures (at);
CREATE TABLE security_settings (
    key text CONSTRAINT pk_security_settings PRIMARY KEY, value jsonb NOT NULL
);
"""

FACTORS = """
CREATE TABLE second_factors (
    username text CONSTRAINT pk_second_factors PRIMARY KEY
        CONSTRAINT fk_second_factors_username_users REFERENCES users ON DELETE CASCADE,
    secret bytea NOT NULL, enrolled_at timestamptz NOT NULL, confirmed_at timestamptz,
    last_step bigint NOT NULL DEFAULT 0
);
CREATE TABLE recovery_codes (
    username text NOT NULL CONSTRAINT fk_recovery_codes_username_users REFERENCES users ON DELETE CASCADE,
    digest bytea NOT NULL, used_at timestamptz,
    CONSTRAINT pk_recovery_codes PRIMARY KEY (username, digest)
);
CREATE TABLE identities (
    issuer text NOT NULL, subject text NOT NULL,
    username text NOT NULL CONSTRAINT fk_identities_username_users REFERENCES users ON DELETE CASCADE,
    linked_at timestamptz NOT NULL,
    CONSTRAINT pk_identities PRIMARY KEY (issuer, subject)
);
CREATE INDEX ix_identities_username ON identities (username);
CREATE TABLE oidc_attempts (
    state bytea CONSTRAINT pk_oidc_attempts PRIMARY KEY,
    browser bytea NOT NULL, nonce text NOT NULL, verifier text NOT NULL, next text NOT NULL,
    expires_at timestamptz NOT NULL
);
"""

AUDIT = """
ALTER TABLE audit ADD changes text;
CREATE TABLE audit_head (
    only_one boolean DEFAULT true CONSTRAINT pk_audit_head PRIMARY KEY
        CONSTRAINT ck_audit_head_only_one CHECK (only_one),
    entries bigint NOT NULL, hash bytea NOT NULL
);
INSERT INTO audit_head (entries, hash)
    SELECT count(*), coalesce(
        (SELECT hash FROM audit ORDER BY number DESC LIMIT 1), decode(repeat('00', 32), 'hex')
    ) FROM audit;
CREATE FUNCTION audit_counts() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    UPDATE audit_head SET entries = entries + 1, hash = NEW.hash;
    RETURN NULL;
END $$;
CREATE TRIGGER audit_counts AFTER INSERT ON audit FOR EACH ROW EXECUTE FUNCTION audit_counts();
"""

DROP = """
DROP TRIGGER audit_counts ON audit;
DROP FUNCTION audit_counts;
DROP TABLE audit_head, oidc_attempts, identities, recovery_codes, second_factors, security_settings,
    sign_in_failures, grants, roles, departments;
ALTER TABLE audit DROP changes;
ALTER TABLE sessions DROP agent, DROP proof;
DELETE FROM users WHERE role NOT IN ('viewer', 'operator', 'admin');
ALTER TABLE users DROP service, DROP owner, ALTER role DROP DEFAULT,
    ADD CONSTRAINT ck_users_role CHECK (role IN ('viewer', 'operator', 'admin'));
DELETE FROM api_tokens WHERE role NOT IN ('viewer', 'operator', 'admin');
ALTER TABLE api_tokens DROP narrowed, DROP areas, DROP departments, ALTER role DROP DEFAULT,
    ADD CONSTRAINT ck_api_tokens_role CHECK (role IN ('viewer', 'operator', 'admin'));
ALTER TABLE sites DROP department;
"""


def upgrade() -> None:
    """Make the tables."""
    for statements in (GRANTS, ACCOUNTS, FACTORS, AUDIT):
        op.execute(statements)


def downgrade() -> None:
    """Drop them, with every account that the version before cannot express."""
    op.execute(DROP)
