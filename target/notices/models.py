"""Boards and their notices."""

from typing import Self

from django.db import models
from django.db.models import F, Q

from .indexes import NullsLastIndex

# Ends with the id, so that the order is total: pages neither repeat nor skip a notice.
NEWEST_FIRST = (F("date").desc(nulls_last=True), F("created_at").desc(), F("id").desc())


class Board(models.Model):
    """A notice board of a department, an office or the library."""

    code = models.CharField(max_length=20, primary_key=True)
    name = models.CharField(max_length=50)

    class Meta:
        """Sorted by code."""

        ordering = ("code",)

    def __str__(self) -> str:
        """Return the code, by which phones name the board."""
        return self.code


class NoticeQuerySet(models.QuerySet["Notice"]):
    """The filters and the sort order of `GET /notice/all`."""

    def on_boards(self, codes: list[str]) -> Self:
        """Keep the notices of these boards; ignore unknown codes.

        No codes at all, or `all` among them, means every board.
        """
        if not codes or "all" in codes:
            return self
        # PostgreSQL rejects a NUL in a parameter; no board code has one.
        return self.filter(board__in=[code for code in codes if "\0" not in code])

    def with_any_word(self, words: list[str]) -> Self:
        """Keep the notices whose title contains any of the words; without words, keep all."""
        if not words:
            return self
        any_word = Q(pk__in=[])  # matches nothing, as do words that all have a NUL
        for word in words:
            if "\0" not in word:
                any_word |= Q(title__icontains=word)
        return self.filter(any_word)

    def newest_first(self, *, fixed_first: bool = False) -> Self:
        """Sort by date with undated notices last, then by `created_at`, then by id."""
        fixed = ("-is_fixed",) if fixed_first else ()
        return self.order_by(*fixed, *NEWEST_FIRST)


class Notice(models.Model):
    """A notice of one board."""

    id = models.CharField(max_length=50, primary_key=True)
    board = models.ForeignKey(
        Board,
        on_delete=models.CASCADE,
        related_name="notices",
        db_index=False,  # the first index below starts with it
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
        """The first index serves pages of one board, the second pages of several or all."""

        indexes = (
            NullsLastIndex(F("board"), *NEWEST_FIRST, name="notice_board_newest"),
            NullsLastIndex(*NEWEST_FIRST, name="notice_newest"),
        )

    def __str__(self) -> str:
        """Return the title."""
        return self.title
