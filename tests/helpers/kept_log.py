"""A log that keeps what it is told."""

from genrecall.foundation.progress import SilentLog


class KeptLog(SilentLog):
    """Keeps what is said and recorded."""

    def __init__(self):
        self.said, self.events = [], []

    def say(self, text):
        self.said.append(text)

    def event(self, name, **figures):
        self.events.append((name, figures))
