"""Backups: snapshots of a data folder in a repository of files named by their content."""
