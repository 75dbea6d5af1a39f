"""Offline evaluation: who asks, who answers, what was measured."""
