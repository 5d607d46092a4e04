"""Counts what a table has: `python scripts/count_table.py FILE.csv [SEPARATOR]`.

It prints one line for each column: missing values, different values, numbers, dates, and what stands out. It needs
nothing beyond csv, re and sys, so that it runs everywhere.
"""

import csv
import re
import sys

MISSING = ("", "-", "--", "na", "n/a", "nan", "null", "none", "?", "9999", "-9999")
NUMBER = re.compile(r"[+-]?\d+([.,' ]\d+)*%?")
DATE = re.compile(r"\d{4}-\d{1,2}-\d{1,2}|\d{1,2}[./-]\d{1,2}[./-]\d{2,4}")
MAX_EXAMPLES = 5


def find_separator(line):
    counts = [(line.count(mark), mark) for mark in (";", "\t", "|", ",")]
    return max(counts)[1] if max(counts)[0] else ","


def to_number(text):
    text = text.replace("%", "").replace("'", "").replace(" ", "")
    if "," in text and "." in text:
        decimal = "," if text.rfind(",") > text.rfind(".") else "."
        text = text.replace("." if decimal == "," else ",", "").replace(",", ".")
    else:
        text = text.replace(",", ".")
    return float(text) if text.count(".") < 2 else None


def quartiles(numbers):
    ordered = sorted(numbers)
    return ordered[len(ordered) // 4], ordered[(3 * len(ordered)) // 4]


def show(rows):
    more = ", …" if len(rows) > MAX_EXAMPLES else ""
    return ", ".join(str(row) for row in rows[:MAX_EXAMPLES]) + more


def describe(name, values):
    """Describe a column; `values` are pairs of row number and text."""
    filled = [(row, text) for row, text in values if text.strip().lower() not in MISSING]
    missing = [row for row, text in values if text.strip().lower() in MISSING]
    texts = [text.strip() for _, text in filled]
    numeric = [(row, to_number(text.strip())) for row, text in filled if NUMBER.fullmatch(text.strip())]
    numbers = [(row, number) for row, number in numeric if number is not None]
    dates = [row for row, text in filled if DATE.fullmatch(text.strip())]
    facts = [f"{len(values)} values", f"{len(missing)} missing", f"{len(set(texts))} different"]
    if missing:
        facts.append(f"missing in rows {show(missing)}")
    if numbers and len(numbers) >= len(dates):
        facts.append(f"{len(numbers)} numbers from {min(n for _, n in numbers)} to {max(n for _, n in numbers)}")
        others = [row for row, text in filled if not NUMBER.fullmatch(text.strip())]
        if others and len(numbers) > len(others):
            facts.append(f"no number in rows {show(others)}")
        if len(numbers) >= 8:
            low, high = quartiles([number for _, number in numbers])
            width = 3 * (high - low)
            far = [row for row, number in numbers if width and not low - width <= number <= high + width]
            if far:
                facts.append(f"far from the others in rows {show(far)}")
        negative = [row for row, number in numbers if number < 0]
        if negative:
            facts.append(f"negative in rows {show(negative)}")
    elif dates:
        facts.append(f"{len(dates)} dates")
        others = [row for row, text in filled if not DATE.fullmatch(text.strip())]
        if others:
            facts.append(f"no date in rows {show(others)}")
    spaced = [row for row, text in filled if text != text.strip()]
    if spaced:
        facts.append(f"spaces at the ends in rows {show(spaced)}")
    spellings = {}
    for text in texts:
        spellings.setdefault(" ".join(text.lower().split()), set()).add(text)
    several = [sorted(found) for found in spellings.values() if len(found) > 1]
    if several:
        facts.append("same but for case or spaces: " + "; ".join(" / ".join(found) for found in several[:MAX_EXAMPLES]))
    return f"{name}: " + ", ".join(facts)


def main(path, separator):
    with open(path, encoding="utf-8") as file:
        text = file.read()
    lines = text.lstrip("\ufeff").splitlines()
    if not lines:
        print("The file is empty.")
        return
    separator = separator or find_separator(lines[0])
    rows = list(csv.reader(lines, delimiter=separator))
    header, body = rows[0], rows[1:]
    print(f"Separator {separator!r}, {len(header)} columns, {len(body)} rows below the header")
    repeated = sorted(name for name in set(header) if header.count(name) > 1)
    if repeated:
        print("Repeated headers: " + ", ".join(repeated))
    uneven = [number for number, row in enumerate(body, 2) if row and len(row) != len(header)]
    if uneven:
        print(f"Other number of columns in rows {show(uneven)}")
    empty = [number for number, row in enumerate(body, 2) if not any(cell.strip() for cell in row)]
    if empty:
        print(f"Empty rows: {show(empty)}")
    first, twice = {}, []
    for number, row in enumerate(body, 2):
        key = "\x1f".join(cell.strip().lower() for cell in row)
        if key in first and any(row):
            twice.append(f"{number} as {first[key]}")
        first.setdefault(key, number)
    print(f"Duplicate rows: {len(twice)}" + (f" ({show(twice)})" if twice else ""))
    for at, name in enumerate(header):
        column = [(number, row[at]) for number, row in enumerate(body, 2) if at < len(row) and any(row)]
        unique = len({cell for _, cell in column}) == len(column)
        print(describe(name, column) + (", could be a key" if unique and column else ""))


if len(sys.argv) < 2:
    print("Name a file: python scripts/count_table.py FILE.csv [SEPARATOR]")
else:
    main(sys.argv[1], sys.argv[2] if len(sys.argv) > 2 else "")
