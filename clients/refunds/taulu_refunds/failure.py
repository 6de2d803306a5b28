"""What stops the job, as distinct from a check that fails."""

from __future__ import annotations


class JobError(Exception):
    """The job cannot go on; the message says what happened and what to do."""
