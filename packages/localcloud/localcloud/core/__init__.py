"""What every service shares: the running cloud, its clock, its processes, and how a request is read and refused."""
