"""The JSON shape of a device, and its validation."""

from typing import Any, ClassVar

from django.conf import settings
from django.db import IntegrityError, transaction
from rest_framework import serializers
from rest_framework.exceptions import NotFound

from notices.models import Board

from .models import Device


class DeviceIdSerializer(serializers.Serializer[Device]):
    """The id of the device that a request is about."""

    id = serializers.CharField(max_length=200)


class DeviceSerializer(serializers.ModelSerializer[Device]):
    """A device with the alarm fields in ALARM_FIELDS; unknown fields are ignored."""

    class Meta:
        """The contract's fields except the alarms, which `get_field_names` adds."""

        model = Device
        fields: ClassVar = ["id", "id_method", "keywords", "subscriptions"]
        extra_kwargs: ClassVar = {
            # No uniqueness query: the insert finds a duplicate by itself, without a race.
            "id": {"validators": []},
            # DRF would trim the values, but the response has to echo what was sent.
            "keywords": {"trim_whitespace": False},
            "subscriptions": {"trim_whitespace": False},
        }

    def get_field_names(self, declared_fields: Any, info: Any) -> list[str]:
        """Add the alarm fields in ALARM_FIELDS."""
        return [*super().get_field_names(declared_fields, info), *settings.ALARM_FIELDS]

    def validate_subscriptions(self, subscriptions: str) -> str:
        """Reject a list with an unknown board."""
        if not subscriptions:
            return subscriptions
        codes = set(subscriptions.split("+"))
        unknown = codes.difference(
            Board.objects.filter(code__in=codes).values_list("code", flat=True)
        )
        if unknown:
            raise serializers.ValidationError(f"Unknown boards: {', '.join(sorted(unknown))}.")
        return subscriptions

    def create(self, validated_data: dict[str, Any]) -> Device:
        """Insert the device.

        Raises:
            ValidationError: the id exists, even if another request has just inserted it.
        """
        try:
            with transaction.atomic():  # rolls back the failed insert alone
                return Device.objects.create(**validated_data)
        except IntegrityError as error:
            raise serializers.ValidationError(
                {"id": ["device with this id already exists."]}, code="unique"
            ) from error

    def update(self, instance: Device, validated_data: dict[str, Any]) -> Device:
        """Update only the columns that were sent.

        So concurrent requests that change different fields do not undo each other.

        Raises:
            NotFound: the device was deleted after it was read.
        """
        changes = {name: value for name, value in validated_data.items() if name != "id"}
        if changes and not Device.objects.filter(pk=instance.pk).update(**changes):
            raise NotFound
        for name, value in changes.items():
            setattr(instance, name, value)
        return instance
