"""Run by test_worker.py in two processes: each writes a file, and waits for that of the other."""

import os
import pathlib
import time


def make(folder, name, other):
    def run(word):
        text = f"{word} {sorted(os.sched_getaffinity(0))} {os.environ['A']}"
        pathlib.Path(folder, name).write_text(text)
        print("a library's words")
        end = time.monotonic() + 60
        while not pathlib.Path(folder, other).exists():
            assert time.monotonic() < end, "nobody came"
            time.sleep(0.01)

    return run
