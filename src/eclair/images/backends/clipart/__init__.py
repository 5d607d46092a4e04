"""Clip art: counts, colors and places known pictures, without a model."""
