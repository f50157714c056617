"""Parts on the shelf: files of parts that were taken out, to be put into other models another day."""
