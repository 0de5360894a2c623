"""The centre's end of the link: gateways, their declarations, ingest, and the outbox of commands."""
