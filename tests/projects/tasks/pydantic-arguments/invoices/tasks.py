from celery import Celery

from invoices.models import Invoice, Total

app = Celery("invoices", broker="redis://redis:6379/0", backend="redis://redis:6379/0")


@app.task(pydantic=True)
def total(invoice: Invoice) -> Total:
    amount = sum(line.price * line.quantity for line in invoice.lines)
    return Total(amount=amount)
