DISTANCES = {"mars": 228, "venus": 108}
