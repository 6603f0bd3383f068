from notes.archive.connect import connect


@connect.task
def archive(note):
    name = note + ".gz"
    return name
