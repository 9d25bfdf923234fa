"""Label any number of texts with a bundle, holding a few thousand at a time: `python ask_many.py BUNDLE < texts`."""

import sys

import luthier

predictor = luthier.load(sys.argv[1])
lines = (line.rstrip("\n") for line in sys.stdin)
for prediction in predictor.stream(lines):
    print(f"{prediction.label}\t{prediction.score:.3f}\t{'cut' if prediction.truncated else ''}")
