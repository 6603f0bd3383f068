SKIES = {"Oslo": "rain", "Rome": "sun"}
