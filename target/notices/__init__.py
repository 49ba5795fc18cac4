"""The read side: boards and their notices."""
