"""Who does the work: this process, processes of its own, Dask, ipyparallel; each is a crew."""
