"""The write side of the API: devices."""

from typing import Any

from rest_framework import status
from rest_framework.exceptions import NotFound
from rest_framework.generics import get_object_or_404
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from .models import Device
from .serializers import DeviceIdSerializer, DeviceSerializer


def device_id(data: Any) -> str:
    """Return the validated id from a body or a query string; an invalid one is 400."""
    serializer = DeviceIdSerializer(data=data)
    serializer.is_valid(raise_exception=True)
    return str(serializer.validated_data["id"])


class DeviceView(APIView):
    """A device, named by `id` in the query string (GET) or in the body (other methods)."""

    def get(self, request: Request) -> Response:
        """Return a device."""
        device = get_object_or_404(Device, pk=device_id(request.query_params))
        return Response(DeviceSerializer(device).data)

    def post(self, request: Request) -> Response:
        """Register a device."""
        serializer = DeviceSerializer(data=request.data)
        serializer.is_valid(raise_exception=True)
        serializer.save()
        return Response(serializer.data, status=status.HTTP_201_CREATED)

    def put(self, request: Request) -> Response:
        """Change only the fields that were sent."""
        device = get_object_or_404(Device, pk=device_id(request.data))
        serializer = DeviceSerializer(device, data=request.data, partial=True)
        serializer.is_valid(raise_exception=True)
        serializer.save()
        return Response(serializer.data)

    def delete(self, request: Request) -> Response:
        """Delete a device."""
        deleted, _ = Device.objects.filter(pk=device_id(request.data)).delete()
        if not deleted:
            raise NotFound
        return Response(status=status.HTTP_204_NO_CONTENT)
