"""The read side of the API: boards and their notices."""
