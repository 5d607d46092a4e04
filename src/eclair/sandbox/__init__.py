"""Bounded processes for untrusted bytes, and the frames that processes of ours exchange."""
