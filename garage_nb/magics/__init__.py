"""The %garage language in IPython, a thin face over garage.py."""
