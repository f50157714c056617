"""WorkerDied: how an executor says that one task took its worker with it, where it knows which task it was."""

from __future__ import annotations


class WorkerDied(Exception):
    """Of that future alone: the executor works on, and so does all else that is under way.

    An executor that cannot know whose death it was, or that is broken by it, says BrokenExecutor, and then all that was
    under way is tried again alone.
    """
