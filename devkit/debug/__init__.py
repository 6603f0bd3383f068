"""The client of a debugger in a worker: the connection, what the two say to each other, and how people see it."""
