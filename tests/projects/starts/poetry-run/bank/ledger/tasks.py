from . import app


@app.task
def transfer(amount, *, to):
    if amount > 1000:
        raise RuntimeError(f"{amount} is too much")
    return to, amount
