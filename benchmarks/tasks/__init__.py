"""One folder a task: its data sets and scores, Luthier's side, and the usual ``transformers`` script."""
