"""What a user does: one function a task, one intention each."""
