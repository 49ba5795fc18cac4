"""The JSON shape of a device, and what is checked before it is stored."""

from typing import Any, ClassVar

from django.conf import settings
from django.db import IntegrityError, transaction
from rest_framework import serializers
from rest_framework.exceptions import NotFound

from notices.models import Board

from .models import Device


class DeviceIdSerializer(serializers.Serializer[Device]):
    """The id by which a request names its device."""

    id = serializers.CharField(max_length=200)


class DeviceSerializer(serializers.ModelSerializer[Device]):
    """A device with the alarm fields that this server has; unknown fields are ignored."""

    class Meta:
        """The contract's fields but the alarms, which `get_field_names` adds."""

        model = Device
        fields: ClassVar = ["id", "id_method", "keywords", "subscriptions"]
        extra_kwargs: ClassVar = {
            # The insert itself finds a duplicate: a query before it would cost one more and
            # still lose a race.
            "id": {"validators": []},
            "keywords": {"trim_whitespace": False},
            "subscriptions": {"trim_whitespace": False},
        }

    def get_field_names(self, declared_fields: Any, info: Any) -> list[str]:
        """Add the alarm fields of the setting ALARM_FIELDS."""
        return [*super().get_field_names(declared_fields, info), *settings.ALARM_FIELDS]

    def validate_subscriptions(self, subscriptions: str) -> str:
        """Refuse a list that names a board which does not exist."""
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
        """Insert the device; an id that exists is the caller's error, also in a race."""
        try:
            with transaction.atomic():
                return Device.objects.create(**validated_data)
        except IntegrityError as error:
            raise serializers.ValidationError(
                {"id": ["device with this id already exists."]}, code="unique"
            ) from error

    def update(self, instance: Device, validated_data: dict[str, Any]) -> Device:
        """Write the fields that were sent, and no others.

        Two requests at the same time that change different fields both keep their change. A
        device that was deleted since it was read is as unknown as any other.
        """
        changes = {name: value for name, value in validated_data.items() if name != "id"}
        if changes and not Device.objects.filter(pk=instance.pk).update(**changes):
            raise NotFound
        for name, value in changes.items():
            setattr(instance, name, value)
        return instance
