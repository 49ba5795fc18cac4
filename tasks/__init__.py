"""What users do: one function per task, one purpose per task."""
