"""Paging of notices."""

from rest_framework.pagination import PageNumberPagination


class NoticePagination(PageNumberPagination):
    """Ten notices per page; a page past the last one is 404."""

    page_size = 10
