"""Who may do what: accounts, sessions, API tokens, roles, and the audit trail of every unsafe action."""
