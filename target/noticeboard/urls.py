"""The paths of the notice API. Every response is JSON, errors included."""

from django.urls import include, path

from .views import healthz

urlpatterns = [
    path("notice/", include("notices.urls")),
    path("accounts/", include("accounts.urls")),
    path("healthz", healthz, name="healthz"),
]

handler400 = "rest_framework.exceptions.bad_request"
handler404 = "noticeboard.views.not_found"
handler500 = "rest_framework.exceptions.server_error"
