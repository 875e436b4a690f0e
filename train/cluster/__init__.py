"""More than one process or machine: a thin layer of Ray over the loop, the sweeps and the data."""
