"""Breakpoints set without editing code: where they are, how they are reached, how a change is noticed."""
