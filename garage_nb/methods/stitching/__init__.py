"""Stitching: parts of one model in the places of another, each pair scored beside what any such number needs."""
