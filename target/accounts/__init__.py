"""The write side: devices that subscribe to boards."""
