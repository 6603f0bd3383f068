"""The environment of the project's processes: what its files give, with addresses that lead somewhere from here."""
