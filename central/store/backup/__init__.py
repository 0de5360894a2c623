"""Backup and restore of the whole database, with nothing but the driver: no pg_dump on the path is needed.

take       one REPEATABLE READ transaction, each table as binary COPY, into one file
restore    the tables of the backup's own revision, filled, then migrated up
aftercare  what a restored centre must not believe of its past
bundle     the file; catalogue: what PostgreSQL says there is to keep
"""
