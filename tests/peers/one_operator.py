"""Models of one operator through the command, and the count of what came of them."""

import collections
import json
import subprocess
import sys

import numpy as np

# Both sides round every step to 24 bits, and add in another order; ONNX's own runner allows a thousandth.
TOLERANCE = 1e-5

RIGHT, REFUSED = "right", "refused"


def shapes(command, file):
    """What the model takes and answers with; None of one that is refused."""
    done = subprocess.run([command, "inspect", file, "--json"], capture_output=True, text=True)
    if done.returncode != 0:
        return None
    figures = json.loads(done.stdout.splitlines()[-1])
    return figures["input"]["shape"], figures["output"]["shape"]


def answer(command, folder, file, given):
    """What the model answers to an array, or to arrays by their names: an array, REFUSED, or what went wrong."""
    data = folder / ("x.npz" if isinstance(given, dict) else "x.npy")
    if isinstance(given, dict):
        np.savez(data, **given)
    else:
        np.save(data, given)
    made = folder / "y.npy"
    made.unlink(missing_ok=True)
    done = subprocess.run([command, "run", file, "--input", data, "--output", made], capture_output=True, text=True)
    if done.returncode == 1:
        return REFUSED
    if done.returncode != 0:
        return f"ends with {done.returncode}: {done.stderr}"
    return np.load(made)


def compared(found, expected, tolerance=TOLERANCE, least=0.0):
    """RIGHT or what is wrong. Allowed is that part of the largest expected value, or of 1, and at least so much."""
    if found.size != expected.size:
        return f"{found.shape} where {expected.shape} is right"
    off = np.abs(found.reshape(expected.shape) - expected).max()
    most = max(least, tolerance * max(1.0, np.abs(expected).max()))
    return RIGHT if off <= most else f"off by {off}, where {most} is allowed"


class Count:
    """How many of each operator's cases are right and how many refused, and what is wrong."""

    def __init__(self):
        self.right, self.refused, self.wrong = collections.Counter(), collections.Counter(), []

    def add(self, operator, case, outcome):
        if outcome == RIGHT:
            self.right[operator] += 1
        elif outcome == REFUSED:
            self.refused[operator] += 1
        else:
            self.wrong.append(f"{case}: {outcome}")

    def finish(self, leasts, least, whole):
        """Prints the count and ends the program. Of a `whole` run, so many of each operator and in all are right."""
        for operator in sorted(leasts):
            print(f"{operator:22} {self.right[operator]:3} right {self.refused[operator]:3} refused")
        few = [operator for operator, number in leasts.items() if whole and self.right[operator] < number]
        if few:
            self.wrong.append(f"too few run of {', '.join(few)}")
        if whole and self.right.total() < least:
            self.wrong.append(f"only {self.right.total()} run")
        print("\n".join(self.wrong))
        print(f"{self.right.total()} passed, {len(self.wrong)} failed")
        sys.exit(bool(self.wrong))
