"""One file for each problem type; see ``luthier.bundle.kind``."""
