"""The engine bench: put parts of several models together, and hand over a plain one."""
