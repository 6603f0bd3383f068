NAMES = ["ada", "bob"]
