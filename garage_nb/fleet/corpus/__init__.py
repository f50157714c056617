"""What a corpus is: texts one after the other out of files, datasets and iterables, cut into chunks."""
