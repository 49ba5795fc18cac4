"""Boards and their notices."""

from typing import Self

from django.db import models
from django.db.models import F, Q

from .indexes import NullsLastIndex

NEWEST_FIRST = (F("date").desc(nulls_last=True), F("created_at").desc(), F("id").desc())


class Board(models.Model):
    """A notice board of the campus: a department, an office, the library."""

    code = models.CharField(max_length=20, primary_key=True)
    name = models.CharField(max_length=50)

    class Meta:
        """Listed by code."""

        ordering = ("code",)

    def __str__(self) -> str:
        """Return the code, which is how phones name the board."""
        return self.code


class NoticeQuerySet(models.QuerySet["Notice"]):
    """The filters and the order of `GET /notice/all`."""

    def on_boards(self, codes: list[str]) -> Self:
        """Keep the notices of these boards; a code that no board has adds nothing.

        No code at all, or `all` among them, is every board.
        """
        if not codes or "all" in codes:
            return self
        # PostgreSQL refuses a NUL in a parameter, and no code has one.
        return self.filter(board__in=[code for code in codes if "\0" not in code])

    def with_any_word(self, words: list[str]) -> Self:
        """Keep the notices whose title contains any of the words; no words keep all."""
        if not words:
            return self
        any_word = Q(pk__in=[])  # matches nothing
        for word in words:
            if "\0" not in word:
                any_word |= Q(title__icontains=word)
        return self.filter(any_word)

    def newest_first(self, *, fixed_first: bool = False) -> Self:
        """Order by date, undated ones last, then by time of collection, then by id."""
        fixed = ("-is_fixed",) if fixed_first else ()
        return self.order_by(*fixed, *NEWEST_FIRST)


class Notice(models.Model):
    """One notice of one board."""

    id = models.CharField(max_length=50, primary_key=True)
    board = models.ForeignKey(
        Board,
        on_delete=models.CASCADE,
        related_name="notices",
        db_index=False,  # the first index below begins with it
    )
    title = models.CharField(max_length=300)
    link = models.URLField(max_length=300)
    date = models.DateField(null=True, blank=True)
    author = models.CharField(max_length=100, null=True, blank=True)
    reference = models.CharField(max_length=100, null=True, blank=True)
    is_fixed = models.BooleanField(default=False)
    created_at = models.DateTimeField()

    objects = NoticeQuerySet.as_manager()

    class Meta:
        """One index serves a page of one board, the other a page of several or of all."""

        indexes = (
            NullsLastIndex(F("board"), *NEWEST_FIRST, name="notice_board_newest"),
            NullsLastIndex(*NEWEST_FIRST, name="notice_newest"),
        )

    def __str__(self) -> str:
        """Return the title."""
        return self.title
