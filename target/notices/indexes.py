"""An index that says where NULL belongs, on databases that need to be told."""

from typing import Any

from django.db import models
from django.db.backends.base.schema import BaseDatabaseSchemaEditor
from django.db.backends.ddl_references import Statement
from django.db.models.expressions import OrderBy


class NullsLastIndex(models.Index):
    """An index on descending expressions with `nulls_last`.

    PostgreSQL serves `ORDER BY date DESC NULLS LAST` only from an index declared the same. SQLite
    sorts NULL last in a descending index by itself, and refuses `NULLS LAST` in its declaration.
    """

    def create_sql(
        self,
        model: type[models.Model],
        schema_editor: BaseDatabaseSchemaEditor,
        using: str = "",
        **kwargs: Any,
    ) -> Statement:
        """Return the statement, on SQLite without the modifier."""
        if schema_editor.connection.vendor == "sqlite":
            plain = (
                OrderBy(column.expression, descending=column.descending)
                if isinstance(column, OrderBy)
                else column
                for column in self.expressions
            )
            return models.Index(*plain, name=self.name).create_sql(model, schema_editor, using)
        return super().create_sql(model, schema_editor, using, **kwargs)
