"""The command line that the benchmarks share."""

import argparse


def make_parser(name, text):
    """A parser for `python -m benchmarks.NAME`, whose description is the first line of a text."""
    return argparse.ArgumentParser(f"python -m benchmarks.{name}", description=text.split("\n")[0])
