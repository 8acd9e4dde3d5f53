"""Run by Alembic, with the connection that `database.open_database` gives it."""

from alembic import context
from sqlalchemy import Connection

from skyveil.public.store.tables import metadata

connection = context.config.attributes["connection"]
if isinstance(connection, Connection):
    context.configure(connection=connection, target_metadata=metadata, render_as_batch=True)
    context.run_migrations()
