"""Printing."""
import json
import os
import pathlib
import platform
import sys


def print_table(results):
    print(f"{'figure':32} {'median':>10} {'min':>10} {'max':>10} {'unit':6} {'target':8} {'met':4} note")
    for name, figure in results.items():
        met = {True: "yes", False: "NO", None: ""}[figure.is_met]
        columns = "".join(f"{number(value):>11}" for value in (figure.median, min(figure.values), max(figure.values)))
        print(f"{name:32}{columns} {figure.unit:6} {figure.target:8} {met:4} {figure.note}")


def print_json(results):
    """One line: the medians by name, and everything else below `details` and `machine`."""
    out = {name: round(figure.median, 4) for name, figure in results.items()}
    out["details"] = {
        name: {
            "values": [round(value, 4) for value in figure.values],
            "unit": figure.unit,
            "target": figure.target,
            "met": figure.is_met,
            "note": figure.note,
        }
        for name, figure in results.items()
    }
    out["machine"] = {
        "processors": os.cpu_count(), "kernel": platform.release(), "load": pathlib.Path("/proc/loadavg").read_text().split()[0]}
    sys.stdout.flush()
    print(json.dumps(out))


def number(value):
    return f"{value:.3f}" if abs(value) < 10 else f"{value:.1f}" if abs(value) < 1000 else f"{value:.0f}"
