"""Kinds: one file for each way in which a blade acts, with how it is fitted."""
