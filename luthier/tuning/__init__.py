"""Tuning: the loop, what it is fed, and what it writes while it runs."""

from luthier.tuning.events import Event, Events, Listener, read_events
from luthier.tuning.fit import fit
from luthier.tuning.job import Encoded, Fitted, Job
from luthier.tuning.trackers import open_trackers

__all__ = ["Encoded", "Event", "Events", "Fitted", "Job", "Listener", "fit", "open_trackers", "read_events"]
