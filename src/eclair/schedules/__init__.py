"""Schedules: questions that are asked by themselves, at times that a person chose."""
