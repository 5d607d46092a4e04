"""Marks that say that a model made something.

Nothing is imported here: a process reads foreign files with some of these modules, and starts for each.
"""
