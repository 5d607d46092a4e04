"""The image backend that needs no model: it counts, colors and places pictures whose names it certainly knows."""
