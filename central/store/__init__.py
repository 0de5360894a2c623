"""The one seam to PostgreSQL: opening it, tables everybody shares, readings, history, migrations."""
