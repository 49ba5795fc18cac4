"""An index that sorts NULL last on every database."""

from typing import Any

from django.db import models
from django.db.backends.base.schema import BaseDatabaseSchemaEditor
from django.db.backends.ddl_references import Statement
from django.db.models.expressions import OrderBy


class NullsLastIndex(models.Index):
    """An index on descending expressions with `nulls_last`.

    PostgreSQL uses an index for `ORDER BY date DESC NULLS LAST` only if the index declares
    NULLS LAST. SQLite rejects that in an index, but sorts NULL last in descending order anyway.
    """

    def create_sql(
        self,
        model: type[models.Model],
        schema_editor: BaseDatabaseSchemaEditor,
        using: str = "",
        **kwargs: Any,
    ) -> Statement:
        """Return the CREATE INDEX statement; on SQLite it has no NULLS LAST."""
        if schema_editor.connection.vendor == "sqlite":
            plain = (
                OrderBy(column.expression, descending=column.descending)
                if isinstance(column, OrderBy)
                else column
                for column in self.expressions
            )
            return models.Index(*plain, name=self.name).create_sql(model, schema_editor, using)
        return super().create_sql(model, schema_editor, using, **kwargs)
