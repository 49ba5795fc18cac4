"""The write side of the API: devices that subscribe to boards."""
