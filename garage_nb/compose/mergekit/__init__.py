"""mergekit's recipes, read into build sheets and written from them. mergekit itself is not needed."""
