"""The JSON shapes of boards and notices."""

from typing import ClassVar

from rest_framework import serializers

from .models import Board, Notice


class BoardSerializer(serializers.ModelSerializer[Board]):
    """A board and the URL of its notices; the context supplies `notices_url`."""

    api_url = serializers.SerializerMethodField()

    class Meta:
        """The contract's fields."""

        model = Board
        fields: ClassVar = ["name", "api_url"]

    def get_api_url(self, board: Board) -> str:
        """Return the absolute URL of the board's notices on this server."""
        return f"{self.context['notices_url']}?target={board.code}"


class NoticeSerializer(serializers.ModelSerializer[Notice]):
    """A notice in a page."""

    class Meta:
        """The contract's fields."""

        model = Notice
        fields: ClassVar = [
            "id",
            "title",
            "link",
            "date",
            "author",
            "reference",
            "is_fixed",
            "created_at",
        ]
