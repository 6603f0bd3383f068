from jobs.app import app
from jobs.words import WORDS


@app.task
def lookup(word):
    meaning = WORDS[word]
    return meaning
