from latin.setup_celery import celery

WORDS = {"tree": "arbor"}


@celery.task
def translate(word):
    found = WORDS[word]
    return found
