from photos.background import background


@background.task
def thumbnail(file, size):
    stem, ending = file.split(".")
    return f"{stem}-{size}.{ending}"
