"""Times of things beside each other in one run.

A shared machine is faster and slower from minute to minute; ratios within a run change less.
"""

import importlib.metadata
import json
import os
import pathlib
import platform
import statistics
import subprocess
import sys
import time

import numpy as np
from rich.progress import track

from benchmarks.paths import ROOT

SETS = {
    *("avx2", "avx512f", "avx512_bf16", "avx512_vnni", "avx_vnni"),
    *("amx_tile", "amx_bf16", "amx_int8"),
}
PACKAGES = (
    *("tensorflow", "keras", "ai-edge-litert", "jax"),
    *("torch", "transformers", "timm", "openvino"),
)


def interleave(runners, repetitions):
    """Seconds of every repetition of every function, after two of each to warm up.

    Args:
        runners: Dict of functions without arguments, by name.
        repetitions: How many of each are kept.

    Returns:
        Dict of lists of seconds, by name.
    """
    seconds = {name: [] for name in runners}
    for repetition in track(range(-2, repetitions), "measuring", transient=True):
        for name, run in runners.items():
            start = time.perf_counter()
            run()
            if repetition >= 0:
                seconds[name].append(time.perf_counter() - start)
    return seconds


def peak_of(run, repetitions, longest=30.0):
    """Memory and time of a function, in a Linux process that has not run it before.

    Args:
        run: Function without arguments.
        repetitions: How often it is timed, after once to trace it and once to warm up.
        longest: Seconds after which it is not repeated again.

    Returns:
        Dict of `bytes`, by which it raised the peak of resident memory over what was held before,
        and `seconds` of each repetition.
    """
    # Not `ru_maxrss`: a process begins with that of its parent.
    pathlib.Path("/proc/self/clear_refs").write_text("5")  # forgets the peak so far
    held = _resident("VmRSS")
    run()
    peak, seconds = _resident("VmHWM"), []
    run()
    while len(seconds) < repetitions and sum(seconds) < longest:
        start = time.perf_counter()
        run()
        seconds.append(time.perf_counter() - start)
    return {"bytes": peak - held, "seconds": seconds}


def run_apart(module, *arguments):
    """Runs a benchmark in a process of its own.

    Args:
        module: Its name in this folder.
        *arguments: Of its command line.

    Returns:
        The last line that it prints, read as JSON.
    """
    command = [sys.executable, "-m", f"benchmarks.{module}", *map(str, arguments)]
    done = subprocess.run(command, cwd=ROOT, check=True, capture_output=True, text=True)
    return json.loads(done.stdout.splitlines()[-1])


def speed(seconds, base):
    """Speed in parts of that of `base`: median, and the 10% and 90% quantiles, of the ratios within
    each repetition."""
    ratios = [b / s for s, b in zip(seconds, base, strict=True)]
    return statistics.median(ratios), *(float(q) for q in np.quantile(ratios, (0.1, 0.9)))


def in_words(ratio):
    """A ratio and its spread, as a table shows them."""
    median, low, high = ratio
    return f"{median:.2f} ({low:.2f} to {high:.2f})"


def origin():
    """Where figures come from: the command, the versions, the machine."""
    installed = {d.metadata["Name"]: d.version for d in importlib.metadata.distributions()}
    return {
        "command": ["python", *sys.orig_argv[1:]],
        "versions": {
            "python": platform.python_version(),
            **{name: installed[name] for name in PACKAGES if name in installed},
        },
        "machine": f"{platform.platform()}, {os.cpu_count()} cores, {cpu()}",
    }


def cpu():
    """Name of the processor, and what it has for fast products."""
    return f"{_cpuinfo('model name')}, {sorted(SETS & instruction_sets())}"


def instruction_sets():
    """The processor's flags; none where it does not say."""
    return set(_cpuinfo("flags").split())


def _cpuinfo(key):
    """An entry of Linux about the first core, or nothing."""
    return _entry("/proc/cpuinfo", key)


def _resident(key):
    """Bytes of memory of this process that Linux gives in kilobytes."""
    return 1024 * int(_entry("/proc/self/status", key).split()[0])


def _entry(file, key):
    """The first value of a key in a file of lines `key: value`, or nothing."""
    for line in pathlib.Path(file).read_text().splitlines():
        name, _, value = line.partition(":")
        if name.strip() == key:
            return value.strip()
    return ""
