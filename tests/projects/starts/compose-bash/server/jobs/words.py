WORDS = {"celery": "a vegetable"}
