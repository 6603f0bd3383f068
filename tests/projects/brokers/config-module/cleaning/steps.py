from cleaning import pipeline


@pipeline.task
def trim(text):
    return text.strip()
