"""Run by Alembic, with the connection that `database.open_database` gives it. Public side."""

from alembic import context
from sqlalchemy import Connection

from skyveil.public.store.tables import metadata


def run() -> None:
    """Bring the tables to the version that was asked for."""
    connection = context.config.attributes["connection"]
    if not isinstance(connection, Connection):
        raise TypeError("migrations run through open_database only")
    context.configure(connection=connection, target_metadata=metadata, render_as_batch=True)
    context.run_migrations()


if __name__ == "env_py":  # the name under which Alembic loads this file
    run()
