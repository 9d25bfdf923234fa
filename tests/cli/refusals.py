"""What a refusal looks like, for every test that provokes one."""

from __future__ import annotations

import subprocess


def refused(result: subprocess.CompletedProcess[str]) -> str:
    """Assert that a command refused as it should, and return its message on one line."""
    assert result.returncode == 2, (result.returncode, result.stdout, result.stderr)
    assert "Traceback" not in result.stderr
    assert "  -> " in result.stderr
    return " ".join(result.stderr.split())
