"""Office documents: the package of parts that they are, and workbooks."""
