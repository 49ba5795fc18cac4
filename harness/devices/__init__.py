"""The devices that a run creates on the server, from their ids to their deletion.

`pool` derives the ids and holds the pool that all users share. `ledger` records each id on disk
before the device is created. `write_history` keeps the last writes to a sample of the devices. At
the end of a run, `audit` reads the sample back and `cleanup` deletes all devices, also those of a
run that was killed.
"""

from harness.devices.pool import DeviceReport, Devices

__all__ = ["DeviceReport", "Devices"]
