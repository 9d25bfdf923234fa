"""One file for each problem type; see ``luthier.evaluation.kind``."""
