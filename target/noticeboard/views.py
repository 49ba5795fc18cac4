"""Views of the server as a whole: its health, and its response to an unknown path."""

import logging

from django.db import Error
from django.http import HttpRequest, JsonResponse
from rest_framework import status
from rest_framework.decorators import api_view
from rest_framework.request import Request
from rest_framework.response import Response

from notices.models import Board

logger = logging.getLogger("django.healthz")  # inherits the console handler of `django`


@api_view(["GET"])
def healthz(request: Request) -> Response:
    """Return 200 if the database responds and has its tables, 503 otherwise."""
    try:
        Board.objects.exists()
    except Error as error:
        logger.error("The database does not answer: %s", error)
        return Response({"status": "unavailable"}, status=status.HTTP_503_SERVICE_UNAVAILABLE)
    return Response({"status": "ok"})


def not_found(request: HttpRequest, exception: Exception) -> JsonResponse:
    """Return a 404 in the shape of the API's other errors."""
    return JsonResponse({"detail": "Not found."}, status=status.HTTP_404_NOT_FOUND)
