"""The read side of the API: boards and notices."""

from typing import Any

from rest_framework.exceptions import ValidationError
from rest_framework.generics import ListAPIView
from rest_framework.reverse import reverse

from .models import Board, Notice, NoticeQuerySet
from .pagination import NoticePagination
from .serializers import BoardSerializer, NoticeSerializer

# SQLite's parser gives up at an expression 1000 deep; one OR is one level.
MAX_SEARCH_WORDS = 500


class BoardListView(ListAPIView[Board]):
    """Every board, on one page."""

    queryset = Board.objects.all()
    serializer_class = BoardSerializer

    def get_serializer_context(self) -> dict[str, Any]:
        """Resolve the address of the notices once, not once a board."""
        context = super().get_serializer_context()
        return {**context, "notices_url": reverse("notice-all", request=self.request)}


class NoticeListView(ListAPIView[Notice]):
    """The notices of some boards, newest first, page by page."""

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
