"""Paths under `/notice/`."""

from django.urls import path

from .views import BoardListView, NoticeListView

urlpatterns = [
    path("list", BoardListView.as_view(), name="notice-list"),
    path("all", NoticeListView.as_view(), name="notice-all"),
]
