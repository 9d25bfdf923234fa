"""Tuning methods: what trains, what wraps, what is saved. One file each."""
