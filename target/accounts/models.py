"""Phones that subscribe to notices."""

from django.db import models


class Device(models.Model):
    """A phone with its subscriptions, keywords and alarms.

    `keywords` and `subscriptions` are lists joined by `+`. The table has the alarm columns of the
    older server (`alarm_switch`) and of the newer one; the setting ALARM_FIELDS names those that
    the API exposes.
    """

    id = models.CharField(max_length=200, primary_key=True)
    id_method = models.CharField(max_length=50, default="InstanceId")
    keywords = models.CharField(max_length=500, blank=True, default="")
    subscriptions = models.CharField(max_length=500, blank=True, default="")
    alarm_switch = models.BooleanField(default=False)
    alarm_switch_sub = models.BooleanField(default=False)
    alarm_switch_key = models.BooleanField(default=False)

    def __str__(self) -> str:
        """Return the id that the phone chose."""
        return self.id
