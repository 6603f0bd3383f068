from field.soil import soil


@soil.task
def grow(crop):
    return crop.upper()
