#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-only
"""suites.py DIR RESULTS NAME:PROCESSORS...: run the suites DIR/NAME, in that
order, each as soon as there are processors for it, and one more suite than that:
a test machine waits for a part of its time. Writes RESULTS/NAME.ktap, says on
stderr what begins and ends, and prints NAME:STATUS:SECONDS:NAME.ktap for each."""
import os
import signal
import subprocess
import sys
import time

BEGIN = time.monotonic()


def say(text):
    print("[%4ds] %s" % (time.monotonic() - BEGIN, text), file=sys.stderr,
          flush=True)


class Suite:
    """One suite, from its start to its end"""

    def __init__(self, directory, results, name, processors):
        self.name = name
        self.processors = processors
        self.program = os.path.join(directory, name)
        self.document = os.path.join(results, name + ".ktap")
        self.process = None
        self.begin = 0

    def start(self):
        say("suite %s" % self.name)
        self.begin = time.monotonic()
        # A name of its own while it is written: an interrupted run leaves the
        # document of the last complete one
        with open(self.document + ".new", "wb") as out:
            self.process = subprocess.Popen([self.program], stdout=out)

    def ended(self):
        return self.process.poll() is not None

    def result(self):
        os.replace(self.document + ".new", self.document)
        seconds = int(time.monotonic() - self.begin)
        say("suite %s: %d s" % (self.name, seconds))
        status = self.process.returncode
        return "%s:%d:%d:%s.ktap" % (self.name, status if status >= 0 else 255,
                                     seconds, self.name)


def run(waiting, processors):
    """Run them all; a suite alone may ask for more than there is"""
    running = []
    results = {}
    order = [suite.name for suite in waiting]
    try:
        while waiting or running:
            used = sum(suite.processors for suite in running)
            for suite in list(waiting):
                if not running or used + suite.processors <= processors:
                    waiting.remove(suite)
                    suite.start()
                    running.append(suite)
                    used += suite.processors
            time.sleep(0.2)
            for suite in [suite for suite in running if suite.ended()]:
                running.remove(suite)
                results[suite.name] = suite.result()
    finally:
        for suite in running:
            suite.process.terminate()
    return [results[name] for name in order]


def main():
    directory, results = sys.argv[1:3]
    suites = []
    for word in sys.argv[3:]:
        name, processors = word.split(":")
        suites.append(Suite(directory, results, name, int(processors)))
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    spare = 1 if len(suites) > 1 else 0
    for line in run(suites, len(os.sched_getaffinity(0)) + spare):
        print(line)


if __name__ == "__main__":
    main()
