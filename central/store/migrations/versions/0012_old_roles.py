"""Old roles: what a centre of the version before says in `users.role` becomes a grant, at once.

That version knows no grants (see 0006). Beside it, during a rolling upgrade, an account that it makes had no
right here, and one that it demotes kept its old rights. Where it names a role, that role at the whole city
is all the account has: this version names one there in that case only, so its own changes stay as they are.
"""

from __future__ import annotations

from alembic import op

revision = "0012"
down_revision = "0011"
branch_labels = None
depends_on = None

TRIGGERS = """
CREATE FUNCTION grant_old_role() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    DELETE FROM grants WHERE username = NEW.username;
    INSERT INTO grants (username, role) VALUES (NEW.username, NEW.role);
    RETURN NULL;
END $$;
CREATE TRIGGER grant_old_role AFTER INSERT ON users FOR EACH ROW
    WHEN (NEW.role IN ('viewer', 'operator', 'admin')) EXECUTE FUNCTION grant_old_role();
CREATE TRIGGER grant_changed_old_role AFTER UPDATE OF role ON users FOR EACH ROW
    WHEN (NEW.role IN ('viewer', 'operator', 'admin') AND NEW.role <> OLD.role)
    EXECUTE FUNCTION grant_old_role();
"""

MISSED = """
INSERT INTO grants (username, role)
    SELECT username, role FROM users
    WHERE role IN ('viewer', 'operator', 'admin')
        AND NOT EXISTS (SELECT FROM grants WHERE grants.username = users.username)
    ORDER BY username;
"""

DROP = """
DROP TRIGGER grant_changed_old_role ON users;
DROP TRIGGER grant_old_role ON users;
DROP FUNCTION grant_old_role;
"""


def upgrade() -> None:
    """Make the triggers, and the grants that accounts made since 0006 have missed."""
    op.execute(TRIGGERS)
    op.execute(MISSED)


def downgrade() -> None:
    """Drop them; grants stay."""
    op.execute(DROP)
