"""`devkit up`, `down`, `status`, `logs` and `restart`."""
