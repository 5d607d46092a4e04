"""Accounts: the keys by which programs and other people are let in."""
