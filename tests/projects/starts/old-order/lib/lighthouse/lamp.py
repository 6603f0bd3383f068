from lighthouse.power import power


@power.task
def blink(times):
    light = " ".join(["*"] * times)
    return light


@power.task
def turn():
    return "turned"
