"""The web: searched, read and cited. Every call goes through `trust.egress`."""
