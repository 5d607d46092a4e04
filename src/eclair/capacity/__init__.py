"""Capacity planning: the hardware that people take, by simulation and from sourced facts."""
