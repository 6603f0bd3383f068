from bakery.lib import TracedCelery

bakery = TracedCelery(main="bakery", broker="redis://localhost", backend="redis://localhost")


@bakery.task
def reverse(text):
    return text[::-1]
