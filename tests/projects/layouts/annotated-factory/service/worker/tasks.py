from service.worker import queue


@queue.task
def invoice(order: dict) -> dict:
    total = order["net"] + order["vat"]
    return {"total": total}
