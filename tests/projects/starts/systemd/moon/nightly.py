from moon import lunar

PHASES = ["new", "first quarter", "full", "last quarter"]


@lunar.task
def phase(day):
    return PHASES[day // 7 % 4]
