"""Paths under `/accounts/`."""

from django.urls import path

from .views import DeviceView

urlpatterns = [
    path("device", DeviceView.as_view(), name="device"),
]
