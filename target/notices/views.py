"""The read side of the API: boards and notices."""

from typing import Any

from rest_framework.exceptions import ValidationError
from rest_framework.generics import ListAPIView
from rest_framework.reverse import reverse

from .models import Board, Notice, NoticeQuerySet
from .pagination import NoticePagination
from .serializers import BoardSerializer, NoticeSerializer

# SQLite rejects expressions nested deeper than 1000, and each OR adds a level.
MAX_SEARCH_WORDS = 500


class BoardListView(ListAPIView[Board]):
    """All boards, in one array."""

    queryset = Board.objects.all()
    serializer_class = BoardSerializer

    def get_serializer_context(self) -> dict[str, Any]:
        """Add `notices_url`, resolved once rather than once per board."""
        context = super().get_serializer_context()
        return {**context, "notices_url": reverse("notice-all", request=self.request)}


class NoticeListView(ListAPIView[Notice]):
    """Notices of some boards, newest first, in pages."""

    serializer_class = NoticeSerializer
    pagination_class = NoticePagination

    def get_queryset(self) -> NoticeQuerySet:
        """Read `target`, `q` and `fixed` from the query string."""
        params = self.request.query_params
        words = list(dict.fromkeys(params.get("q", "").split()))
        if len(words) > MAX_SEARCH_WORDS:
            raise ValidationError({"q": [f"At most {MAX_SEARCH_WORDS} words."]})
        return (
            Notice.objects.on_boards(params.get("target", "").split())
            .with_any_word(words)
            .newest_first(fixed_first=params.get("fixed") == "true")
        )
