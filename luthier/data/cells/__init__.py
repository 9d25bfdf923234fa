"""What cells hold, in the many forms in which people and tools write it."""
