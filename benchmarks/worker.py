"""Processes that run one thing again and again, on request.

Each peer then has threads, allocator and environment of its own, as where it is used alone, and is
still timed in turns with the others.
"""

import contextlib
import importlib
import json
import os
import subprocess
import sys
import tempfile

from benchmarks.paths import ROOT


class Worker:
    """A process that has made something to run.

    Args:
        log: File that gets what the process says on stderr.
        target: `"module:function"`. The function returns what is run.
        *arguments: Of that function; JSON.
        cores: Indices of the processor's cores that the process keeps to; None: all.
        environment: Dict of variables that are added to the environment.
    """

    def __init__(self, log, target, *arguments, cores=None, environment=None):
        cores = sorted(cores or os.sched_getaffinity(0))
        command = [sys.executable, "-m", "benchmarks.worker", target]
        command += [json.dumps(arguments), json.dumps(cores)]
        self.process = subprocess.Popen(
            command,
            cwd=ROOT,
            env=os.environ | (environment or {}),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=log,
            text=True,
        )
        self.log, self.name = log, target
        self.wait()

    def start(self, *arguments):
        """Asks for a run with some arguments."""
        with contextlib.suppress(BrokenPipeError):  # `wait` says why it has ended
            self.process.stdin.write(json.dumps(arguments) + "\n")
            self.process.stdin.flush()

    def wait(self):
        """Returns when what was asked for last is done."""
        if not self.process.stdout.readline():
            self.process.wait()
            self.log.seek(0)
            raise RuntimeError(f"{self.name} ended: {(self.log.read() or '?').splitlines()[-1]}")

    def close(self):
        """Ends the process."""
        with contextlib.suppress(BrokenPipeError):  # it has ended already
            self.process.stdin.close()
        self.process.wait()


@contextlib.contextmanager
def staff():
    """Gives a function that makes a `Worker`, and ends them all at last."""
    with contextlib.ExitStack() as stack:

        def hire(*arguments, **options):
            log = stack.enter_context(tempfile.TemporaryFile("w+"))
            worker = Worker(log, *arguments, **options)
            stack.callback(worker.close)
            return worker

        yield hire


def together(workers, *arguments):
    """A function that lets all workers run once, beside each other."""

    def run():
        for worker in workers:
            worker.start(*arguments)
        for worker in workers:
            worker.wait()

    return run


def main():
    target, arguments, cores = sys.argv[1:]
    os.sched_setaffinity(0, json.loads(cores))  # before anybody counts the cores
    answers = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)  # what a library prints is no answer
    module, function = target.split(":")
    run = getattr(importlib.import_module(module), function)(*json.loads(arguments))
    print("ready", file=answers, flush=True)
    for line in sys.stdin:
        run(*json.loads(line))
        print("done", file=answers, flush=True)


if __name__ == "__main__":
    main()
