"""SCIM 2.0: the door through which a directory provisions people and groups."""
